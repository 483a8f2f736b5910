/*
 * handlers/webhook/post_loop.h - many requests of guarded_post.h at a time, all in the caller's thread.
 *
 * They share the links that are kept open, the names looked up and the certificates trusted; none waits for another.
 * One thread at a time but for post_loop_wake.
 */
#ifndef HANDLERS_WEBHOOK_POST_LOOP_H
#define HANDLERS_WEBHOOK_POST_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/webhook/guarded_post.h"

struct post_loop;

/* The options are copied, what they point to is lent; they are those of every request, but for resolve. */
struct post_loop *post_loop_new(const struct post_options *o);
void post_loop_free(struct post_loop *l); /* what is under way is given up; NULL is fine */

/* What the request points to is lent, as is the context, which post_loop_next gives back. */
void post_loop_begin(struct post_loop *l, const struct post_request *request, void *context);

/* Moves all on: until one is done, somebody wakes it, or wait_ms are over. */
void post_loop_wait(struct post_loop *l, int64_t wait_ms);

/* Ends the wait under way, or the next one; from any thread. */
void post_loop_wake(struct post_loop *l);

struct post_result {
    void *context;
    const struct post_reply *reply; /* lent until post_loop_next is called again */
    bool ok;                        /* as guarded_post_send says it */
    struct error err;
};

/* The next one that is done. False: none is. */
bool post_loop_next(struct post_loop *l, struct post_result *out);

#endif
