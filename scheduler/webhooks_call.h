/* scheduler/webhooks_call.h - one call of `crier webhooks`; for the files verb_webhooks.c and webhooks_*.c. */
#ifndef SCHEDULER_WEBHOOKS_CALL_H
#define SCHEDULER_WEBHOOKS_CALL_H

#include "base/arena.h"
#include "base/redis.h"
#include "config/verb.h"
#include "handlers/webhook/webhook_named.h"

struct webhooks_call {
    struct verb_call *call;
    struct redis *redis;
    struct arena *arena;

    struct webhook_named named; /* the target that is named; name NULL: none is */
    struct webhook_store *store;
};

/* An operator's deed about the target, recorded before it is done. */
bool webhooks_record(const struct webhooks_call *w, const char *type, struct error *err) must_check;

/* What an action ends with; an exit code. */
int webhooks_done(const struct webhooks_call *w, const char *what, bool ok, const struct error *err);

/* The actions about subscriptions; exit codes. */
int webhooks_add(struct webhooks_call *w);
int webhooks_rotate(struct webhooks_call *w);
int webhooks_remove(struct webhooks_call *w);
int webhooks_seal(struct webhooks_call *w); /* of all handlers */

#endif
