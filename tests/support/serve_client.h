/* tests/support/serve_client.h - what a test asks of a `crier serve`: a token made by its verb, and its pages. */
#ifndef TESTS_SUPPORT_SERVE_CLIENT_H
#define TESTS_SUPPORT_SERVE_CLIENT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/http.h"
#include "support/server.h"

struct serve_request {
    const char *method;                /* NULL: GET */
    const char *path;                  /* with its query */
    const char *token;                 /* NULL: none */
    const char *content_type;          /* NULL: application/json */
    const char *body;                  /* NULL: none */
    const struct http_header *headers; /* more of them */
    size_t header_count;
};

/*
 * Over a new connection, with TLS where the service speaks it. The status; the answer's body in text where that is not
 * NULL. Fails the test where no answer comes.
 */
long serve_ask(const struct server *serve, const struct serve_request *r, struct buf *text);

/* The same, and 0 where no answer comes. */
long serve_try(const struct server *serve, const struct serve_request *r, struct buf *text);

/* The same as serve_ask, and fails the test where the status is another. */
void serve_expect(const struct server *serve, long status, const struct serve_request *r, struct buf *text);

/* An answer that is JSON: the caller's reference. And the text of a member of it; yours to free. */
json_t *serve_answer(const struct buf *text);
char *serve_member(const struct buf *text, const char *name);

/* GET; token and text may be NULL. */
long serve_get(const struct server *serve, const char *path, const char *token, struct buf *text);

/* The token that `crier tokens create` makes; events NULL: for all types. Yours to free. */
char *serve_token(const char *config_path, const char *scope, const char *events);

/* Waits until the service knows the token: it looks what there are every now and then, and while it begins. */
void serve_await_token(const struct server *serve, const char *token);

/* Both of them: a token that counts. Yours to free. */
char *serve_token_known(const struct server *serve, const char *config_path, const char *scope, const char *events);

#endif
