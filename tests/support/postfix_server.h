/*
 * tests/support/postfix_server.h - a postfix of the test's own: its files, its queue and its mails in a fresh folder.
 *
 * It takes mail for every address but those that postfix_server_deny names, offers STARTTLS with the certificate of
 * mail_server_certificate, and puts all into one maildir. Each word that a client says to it stands in its log.
 */
#ifndef TESTS_SUPPORT_POSTFIX_SERVER_H
#define TESTS_SUPPORT_POSTFIX_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "support/server.h"

enum { POSTFIX_SIZE_MOST = 100000 /* bytes of a mail */ };

/* False, and a word on standard output: the package is not installed, or this is not root, whom postfix needs. */
bool postfix_server_there(void);

struct server *postfix_server_start(void);
const char *postfix_server_url(const struct server *s); /* smtp://127.0.0.1:PORT */

/* Lines "ADDRESS 450 4.2.1 words" of recipients that are refused from the next connection on. */
void postfix_server_deny(struct server *s, const char *lines);

/* A mail as it came to one recipient of its envelope. */
struct postfix_mail {
    char *text;       /* lines ended by \n; its header's first lines are postfix's own */
    char *from, *to;  /* of the envelope */
    char *names;      /* of the header's fields, in order: "Received From To ..." */
    const char *body; /* of text */
};

struct postfix_mails {
    struct postfix_mail *items;
    size_t count;
};

/* Waits until so many came, and nothing is left in the queue, or fails the test. */
struct postfix_mails postfix_server_await(const struct server *s, size_t count);
void postfix_mails_release(struct postfix_mails *m);

/* The first to that recipient; NULL: none. */
const struct postfix_mail *postfix_mail_to(const struct postfix_mails *m, const char *to);

/* The value of its first header field of that name with its lines unfolded; yours to free. "": there is none. */
char *postfix_mail_header(const struct postfix_mail *m, const char *name);

/* All that it logged, once a word stands in it so often: a mail may have arrived before it. Yours to free. */
char *postfix_server_await_log(const struct server *s, const char *word, size_t count);
size_t postfix_log_count(const char *log, const char *word);

#endif
