/*
 * scheduler/lease.h - who leads: one process at a time, by a lease in Redis with a fencing token.
 *
 * The token grows with every change of the holder; what the leader writes is checked against it by the script that
 * writes, so that a leader that slept through its lease changes nothing. A leader that dies is replaced within
 * LEASE_MS. Correctness still rests on idempotence (Kleppmann, "How to do distributed locking", 2016).
 */
#ifndef SCHEDULER_LEASE_H
#define SCHEDULER_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"

enum { LEASE_MS = 4000, LEASE_RENEW_MS = 1000 };

struct lease {
    const char *name, *holder; /* lent */
    int64_t token;             /* 0: not held */
    int64_t sure_until_ms;     /* monotonic: until then nobody else can hold it */
};

/* Takes the lease or renews it. True with token 0: somebody else leads. Each call starts the time anew. */
bool lease_renew(struct lease *l, struct redis *r, struct error *err) must_check;
bool lease_held(const struct lease *l);

/* Whether anybody holds the lease of that name. */
bool lease_is_taken(struct redis *r, const char *name, bool *taken, struct error *err) must_check;

/* Gives it up at once: a clean stop. */
bool lease_release(struct lease *l, struct redis *r, struct error *err) must_check;

#endif
