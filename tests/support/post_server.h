/*
 * tests/support/post_server.h - an endpoint of a platform that events are posted to: each request is answered by the
 * test's own function.
 */
#ifndef TESTS_SUPPORT_POST_SERVER_H
#define TESTS_SUPPORT_POST_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct post_request {
    const char *path, *type, *id, *timestamp, *signature, *authorization; /* headers; NULL: not given */
    const char *body;
    size_t length;
};

/* Its events as an array, in whichever form they came. Yours. */
json_t *post_request_events(const struct post_request *r);

struct post_reply {
    int status, retry_after_s;
    const char *type; /* of the body; NULL: application/json */
    struct buf body;
    bool cut;    /* it ends before its length */
    int wait_ms; /* before it begins */
};

/* Called by one thread at a time. */
typedef void (*post_answer)(void *context, const struct post_request *request, struct post_reply *reply);

struct post_server;

struct post_server *post_server_start(post_answer answer, void *context);
void post_server_free(struct post_server *s);
const char *post_server_url(const struct post_server *s); /* "http://127.0.0.1:PORT" */

/* Against the threads that answer, around what the test looks at. */
void post_server_lock(struct post_server *s);
void post_server_unlock(struct post_server *s);

#endif
