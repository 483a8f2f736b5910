/*
 * base/http_many.h - many requests over a few keep-alive links at a time, all in the caller's thread.
 */
#ifndef BASE_HTTP_MANY_H
#define BASE_HTTP_MANY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/http.h"

struct http_many;

struct http_many *http_many_new(const struct http_options *o, size_t links);
void http_many_free(struct http_many *m); /* NULL is fine */

/* So many requests, numbered from 0, begun in this order and answered in any. */
struct http_work {
    size_t count;
    void *context;

    /* Fills in a request; what it points to stays as it is until another request is begun on that link. */
    void (*ask)(void *context, size_t number, size_t link, struct http_request *request);

    /*
     * What came of it; reply is lent. failed: NULL, or why no whole reply came (as http_send says it). False, with err:
     * no further request is begun, and those under way are given up.
     */
    bool (*answer)(void *context, size_t number, const struct http_reply *reply, const struct error *failed,
                   struct error *err);
};

/* False: an answer was. */
bool http_many_send(struct http_many *m, const struct http_work *work, struct error *err) must_check;

#endif
