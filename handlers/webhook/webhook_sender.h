/*
 * handlers/webhook/webhook_sender.h - one attempt at one delivery: the signed request, and what its answer means.
 * One thread at a time.
 */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_SENDER_H
#define HANDLERS_WEBHOOK_WEBHOOK_SENDER_H

#include <stdbool.h>

#include "base/arena.h"
#include "handlers/webhook/guarded_post.h"
#include "handlers/webhook/webhook_store.h"
#include "handlers/webhook/webhook_target.h"

/* What may be reached, and for how long, by a section's options; both are lent. */
struct post_options webhook_post_options(const struct webhook_options *o, const struct address_guard *guard);

/* A delivery as it goes out at started_us; in the arena. */
struct post_request webhook_request(const struct webhook_target *t, const struct delivery_claim *claim,
                                    int64_t started_us, struct arena *arena);

struct webhook_answer {
    struct delivery_attempt attempt; /* its texts are in the arena */
    bool gone;                       /* the target wants no more (410) */
    bool blocked;                    /* the guard let nothing through */
};

/* What the reply to it means, or why none came (NULL: one did); took_ms is the caller's to fill in. */
void webhook_judge(const struct delivery_claim *claim, int64_t started_us, const struct post_reply *reply,
                   const struct error *failed, struct arena *arena, struct webhook_answer *out);

/* All of it, waiting for the answer. */
void webhook_try(const struct webhook_target *t, const struct delivery_claim *claim, struct arena *arena,
                 struct webhook_answer *out);

/* The event as it is sent: whole, or where it would be too large or is to be thin, without its data. */
void webhook_add_body(const struct webhook_options *o, const struct event *e, struct buf *out);

#endif
