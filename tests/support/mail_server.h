/*
 * tests/support/mail_server.h - a real SMTP server, aiosmtpd, that keeps what it gets and behaves as it is told.
 */
#ifndef TESTS_SUPPORT_MAIL_SERVER_H
#define TESTS_SUPPORT_MAIL_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "support/server.h"

/* Where CRIER_PYTHON has aiosmtpd. False, and a word on standard output: it is not set, the tests cannot be run. */
bool mail_server_there(void);

/* Whether some SMTP server says there that it is ready. */
bool mail_server_greets(const struct server *s);

struct mail_server_options {
    bool tls;          /* offers STARTTLS, with the certificate mail_server_certificate */
    const char *login; /* USER:PASSWORD; NULL: none is wanted */
};

struct server *mail_server_start(const struct mail_server_options *o);
const char *mail_server_url(const struct server *s); /* smtp://127.0.0.1:PORT */
const char *mail_server_certificate(void);
const char *mail_server_key(void); /* of that */

/* Who sits between its clients and a server: a word of tests/smtp_middle.py, which mail_server_behave may change. What
 * they say in the clear stands in its folder's file "said". */
struct server *mail_middle_start(const struct server *to, const char *manner);

/* A word of tests/smtp_server.py, from the next message on. */
void mail_server_behave(struct server *s, const char *manner);

/* The messages so far, each {"from", "to", "text", "bare", "longest"}; yours to decref. */
json_t *mail_server_messages(const struct server *s);

/* How many connections it had so far. */
size_t mail_server_connections(const struct server *s);

/* Waits until so many came, or fails the test. */
json_t *mail_server_await(const struct server *s, size_t count);

#endif
