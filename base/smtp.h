/*
 * base/smtp.h - one message to one recipient by SMTP (RFC 5321), and whether it is to be tried again.
 *
 * Messages follow each other over one link, up to a hundred. One that the server ended, or wants no more on (421),
 * before it asked for the message, is replaced at once: that costs no try. What was not sent ends its link. Each
 * message ends within the time limit, the farewell within as long again (in whole seconds). No notice of delivery is
 * asked for (DSN). Where TLS is required, nothing is said to a server that does not offer it. One thread at a time.
 */
#ifndef BASE_SMTP_H
#define BASE_SMTP_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

enum smtp_tls { SMTP_TLS_NONE, SMTP_TLS_TRY, SMTP_TLS_REQUIRED };

struct smtp_options {
    const char *server;          /* smtp://HOST[:PORT] or smtps://...; lent, as all that is pointed to */
    const char *user, *password; /* "": the server wants none */
    const char *ca_file;         /* "": the system's certificates */
    enum smtp_tls tls;
    int timeout_ms;
};

struct smtp_message {
    const char *from, *to; /* bare addresses */
    const char *bytes;     /* header and body, lines ended by CRLF; dots are the transport's matter */
    size_t length;
};

enum smtp_outcome {
    SMTP_SENT,
    SMTP_AGAIN, /* 4xx, no link, login or TLS refused, or the link ended before the server said what it did */
    SMTP_NEVER, /* 5xx about this message or its recipient */
};

struct smtp_answer {
    enum smtp_outcome outcome;
    int status;       /* the server's last reply code; 0: it gave none */
    struct buf words; /* that reply, its first kilobyte */
    struct error err; /* why it was not sent; it names the server, never the password */
};

#define SMTP_ANSWER_INIT                                                                                               \
    {                                                                                                                  \
        SMTP_AGAIN, 0, BUF_INIT, ERROR_INIT                                                                            \
    }

struct smtp;

struct smtp *smtp_new(const struct smtp_options *o);
void smtp_free(struct smtp *s); /* takes leave of the server; NULL is fine */
void smtp_send(struct smtp *s, const struct smtp_message *message, struct smtp_answer *answer);

/* Takes leave of the server where nothing was sent for some seconds; to be called now and then. */
void smtp_rest(struct smtp *s);

bool smtp_server_check(const char *url, struct error *err); /* for configuration rows */

#endif
