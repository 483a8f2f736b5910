/*
 * handlers/webhook/guarded_post.h - POST to a URL that others may aim, so that it reaches nothing it should not.
 *
 * The host's addresses are asked for once; every one of them is checked, and the link goes to one of these, checked
 * again as the socket is opened. No redirect is followed, no proxy of the environment asked, nothing unpacked; of the
 * reply no more than POST_REPLY_BYTES_MOST are read, and the whole of it ends within the time limit. One thread at a
 * time.
 */
#ifndef HANDLERS_WEBHOOK_GUARDED_POST_H
#define HANDLERS_WEBHOOK_GUARDED_POST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "handlers/webhook/address_guard.h"
#include "handlers/webhook/resolver.h"

enum { POST_REPLY_BYTES_MOST = 64 * 1024, POST_HEAD_BYTES_MOST = 64 * 1024 };

struct post_options {
    const struct address_guard *guard; /* lent, as all that is pointed to */
    const char *ports;                 /* allowed, separated by spaces */
    const char *ca_file;               /* NULL: the system's certificates */
    bool http_allowed;                 /* also http:// */
    int timeout_ms;                    /* the whole: addresses, connection, reply */
    resolver resolve;                  /* NULL: resolver_system */
};

struct post_request {
    const char *url, *body;
    size_t length;
    const char *const *headers; /* "Name: value", NULL-ended; they include Content-Type */
};

struct post_reply {
    long status;        /* 0: no reply came */
    long retry_after_s; /* -1: not given */
    struct buf body;    /* its beginning */
    bool blocked;       /* the guard refused the URL or an address: nothing was sent */
};

#define POST_REPLY_INIT                                                                                                \
    {                                                                                                                  \
        0, -1, BUF_INIT, false                                                                                         \
    }

struct guarded_post;

struct guarded_post *guarded_post_new(const struct post_options *o);
void guarded_post_free(struct guarded_post *p); /* NULL is fine */

/*
 * True: a status came; a body that goes on too long is cut, which is no failure. False: ERROR_AGAIN, no whole head of a
 * reply came; ERROR_INPUT with blocked: the guard refused. Texts name host and port, never the rest of the URL.
 */
bool guarded_post_send(struct guarded_post *p, const struct post_request *request, struct post_reply *reply,
                       struct error *err) must_check;

#endif
