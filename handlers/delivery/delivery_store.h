/*
 * handlers/delivery/delivery_store.h - what one handler or target is to deliver, in Redis: due when, tried how often,
 * and what came of each attempt.
 *
 * Several processes share it: a delivery is claimed for a time, and due again where its claim was not settled by then.
 * Keys: crier:{AREA}:due:OWNER (ids by microseconds since 1970), :delivery:OWNER:ID, :target:OWNER (off, paused_us: no
 * delivery is due; quiet_us: none before; failing_us: since when none came through; told: what a
 * target's owner was told of that, in percent), :attempts:OWNER. All but the
 * target expire. One thread at a time.
 */
#ifndef HANDLERS_DELIVERY_DELIVERY_STORE_H
#define HANDLERS_DELIVERY_DELIVERY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "notifier/event.h"
#include "notifier/stream.h"

enum { DELIVERY_ATTEMPTS_MOST = 1000, DELIVERY_ID_BYTES = 40, DELIVERY_REPLY_BYTES = 4096 };

struct delivery_store {
    struct redis *redis; /* lent */
    struct args args;
    const char *area, *owner;                                                         /* lent */
    char due[KEY_BYTES], target[KEY_BYTES], attempts[KEY_BYTES], delivery[KEY_BYTES]; /* delivery: without the id */
    int64_t remember_s; /* a delivery that was done is not taken again so long; 0: it may be */
    const char *wishes; /* key of a hash with recipients' wishes, which then come with a claim; NULL: none; lent */
};

void delivery_store_init(struct delivery_store *s, struct redis *r, const char *area, const char *owner);
void delivery_store_release(struct delivery_store *s);

/* The same for these texts and an event, however often it comes: prefix and hexadecimal digits. second may be "". */
void delivery_id(const char *prefix, const char *first, const char *second, const struct event *e,
                 char out[DELIVERY_ID_BYTES]);

struct delivery_order {
    char id[DELIVERY_ID_BYTES];
    const struct event *event;
    const char *to;   /* "": the owner says it */
    const char *note; /* the owner's own word, which the claim gives back; NULL or "": none */
    const char *who;  /* the recipient as wishes have it: in the fields WHO and WHO:OWNER; NULL: they say nothing */
};

/* What is to be kept. */
struct delivery_news {
    const struct delivery_order *orders;
    size_t count;
    int64_t now_us;
    int64_t most_waiting; /* deliveries; what goes beyond is not kept; 0: any number */
};

/* How many were, and how many not, as the target is off or too many wait. */
struct delivery_added {
    size_t kept, off, too_many;
};

/* All due at once and in this order; one that waits already, or is remembered as done, stays as it is. */
bool delivery_store_add(struct delivery_store *s, const struct delivery_news *news, struct arena *arena,
                        struct delivery_added *out, struct error *err) must_check;

/* How many are kept that are not done, whether they are due or not. */
bool delivery_store_waiting(struct delivery_store *s, struct arena *arena, int64_t *out, struct error *err) must_check;

struct delivery_claim {
    const char *id; /* "": nothing is due */
    const char *to, *note;
    struct event event;
    int tries;                  /* before this one */
    int64_t until_us;           /* the claim's end, by which it is known */
    int64_t wait_us;            /* where nothing is due: until something is; -1: not known */
    const struct reply *wishes; /* as they are now: both fields' values; NULL: the order said not whose, or none come */
};

/* The delivery that is due longest, for hold_us. */
bool delivery_store_claim(struct delivery_store *s, int64_t now_us, int64_t hold_us, struct arena *arena,
                          struct delivery_claim *out, struct error *err) must_check;

enum delivery_fate { DELIVERY_DONE, DELIVERY_AGAIN, DELIVERY_DEAD };

/* What an attempt came to. */
struct delivery_attempt {
    enum delivery_fate fate;
    long status; /* 0: no reply */
    int64_t started_us;
    int64_t took_ms;
    int64_t next_us;        /* of AGAIN */
    int64_t quiet_until_us; /* nothing is to be sent to the target before; 0: anything may */
    const char *error;      /* "" where a status came */
    struct span reply;      /* its first DELIVERY_REPLY_BYTES count */
};

/* Whether it was taken; else why says why not. */
bool delivery_attempt_done(const struct delivery_attempt *a, struct error *why);

/* Records the attempt, and moves the delivery on. *failing_since_us: since when none came through; 0: one just did. */
bool delivery_store_settle(struct delivery_store *s, const struct delivery_claim *claim,
                           const struct delivery_attempt *attempt, struct arena *arena, int64_t *failing_since_us,
                           struct error *err) must_check;

/* Both in two halves, for a pipeline (handlers/delivery/delivery_round.h); until_us: the claim's end. */
bool delivery_store_ask_claim(struct delivery_store *s, int64_t now_us, int64_t hold_us, struct error *err) must_check;
bool delivery_store_read_claim(const struct reply *reply, int64_t until_us, struct delivery_claim *out,
                               struct error *err) must_check;
bool delivery_store_ask_settle(struct delivery_store *s, const struct delivery_claim *claim,
                               const struct delivery_attempt *attempt, struct arena *arena,
                               struct error *err) must_check;
bool delivery_store_read_settle(const struct reply *reply, int64_t *failing_since_us, struct error *err) must_check;

/* The last attempts, newest first: a flat name, value ... array each, as reply_field_text reads it. */
bool delivery_store_attempts(struct delivery_store *s, size_t most, struct arena *arena, const struct reply **out,
                             struct error *err) must_check;

#endif
