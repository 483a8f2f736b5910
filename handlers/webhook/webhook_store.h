/*
 * handlers/webhook/webhook_store.h - what is to be delivered to one target, in Redis: due when, tried how often, and
 * what came of each attempt.
 *
 * Several processes share a target: a delivery is claimed for a time, and due again where its claim was not settled
 * by then. Keys: crier:{webhooks}:due:TARGET (ids by microseconds since 1970), :delivery:TARGET:ID, :target:TARGET (is
 * it off, since when it fails), :attempts:TARGET. All but the last but one expire. One thread at a time.
 */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_STORE_H
#define HANDLERS_WEBHOOK_WEBHOOK_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "handlers/delivery/delivery_store.h"
#include "notifier/event.h"

enum {
    WEBHOOK_ATTEMPTS_MOST = DELIVERY_ATTEMPTS_MOST,
    WEBHOOK_ID_BYTES = DELIVERY_ID_BYTES,
    WEBHOOK_REPLY_BYTES = DELIVERY_REPLY_BYTES,
};

struct webhook_store;

struct webhook_store *webhook_store_new(struct redis *r, const char *target); /* r is lent */
void webhook_store_free(struct webhook_store *s);                             /* NULL is fine */

/* For a round of several targets; lent, as long as s. */
struct delivery_store *webhook_store_kept(struct webhook_store *s);

/* The webhook-id: the same for an event and a target however often it is sent; "msg_" and hexadecimal digits. */
void webhook_id(const char *target, const struct event *e, char out[WEBHOOK_ID_BYTES]);

/* What is to be kept. */
struct webhook_news {
    const struct event *const *events;
    size_t count;
    int64_t now_us;
    int64_t most_waiting; /* deliveries; what goes beyond is not kept */
};

/* A delivery of each event, due at once and in this order; one that waits already stays as it is. */
bool webhook_store_add(struct webhook_store *s, const struct webhook_news *news, struct arena *arena,
                       struct delivery_added *out, struct error *err) must_check;

/* The delivery that is due longest, for hold_us. A target that is off, or wants quiet, has none due. */
bool webhook_store_claim(struct webhook_store *s, int64_t now_us, int64_t hold_us, struct arena *arena,
                         struct delivery_claim *out, struct error *err) must_check;

/* Records the attempt, and moves the delivery on. *failing_since_us: since when none came through; 0: one just did. */
bool webhook_store_settle(struct webhook_store *s, const struct delivery_claim *claim,
                          const struct delivery_attempt *attempt, struct arena *arena, int64_t *failing_since_us,
                          struct error *err) must_check;

/* Nothing is sent until it is turned on; what comes is kept all the same. */
bool webhook_store_pause(struct webhook_store *s, int64_t now_us, struct error *err) must_check;

/* Makes a delivery that waits due now, whoever may be at it. *was: there is one. */
bool webhook_store_send_now(struct webhook_store *s, const char *id, int64_t now_us, bool *was,
                            struct error *err) must_check;

/* Nothing more is sent, nor kept. *was: it was off already. */
bool webhook_store_turn_off(struct webhook_store *s, const char *reason, int64_t now_us, bool *was,
                            struct error *err) must_check;
bool webhook_store_turn_on(struct webhook_store *s, struct error *err) must_check; /* goes on; failures count anew */

/* That the owner of a target which fails is told of so many percent. *before: of how many before; -1: of no less. */
bool webhook_store_tell(struct webhook_store *s, int percent, int *before, struct error *err) must_check;

/* Of how many it is told; 0: of none. */
bool webhook_store_told(struct webhook_store *s, int *percent, struct error *err) must_check;

struct webhook_target_state {
    const char *off; /* the reason; "": it is on */
    int64_t off_since_us;
    int64_t paused_since_us;  /* 0: it is not */
    int64_t failing_since_us; /* 0: it is not */
    int64_t waiting;          /* deliveries */
    int64_t next_us;          /* when the first of them is due; 0: none waits */
};
bool webhook_store_state(struct webhook_store *s, struct arena *arena, struct webhook_target_state *out,
                         struct error *err) must_check;

/* The last attempts, newest first: a flat name, value ... array each, as reply_field_text reads it. */
bool webhook_store_attempts(struct webhook_store *s, size_t most, struct arena *arena, const struct reply **out,
                            struct error *err) must_check;

#endif
