/*
 * scheduler/run_tally.h - what the runs of a handler by the clock did, for the audit: crier.handler.ran.
 *
 * A run that did nothing is no entry. The first that did something is one at once; those of the RUN_TALLY_MS after it
 * are one together, with their sums, as a handler may run every few seconds. What is not said yet is kept in Redis, at
 * crier:{service}:ran:HANDLER by actor: whose process is gone, his runs are said by the next one, in his name.
 */
#ifndef SCHEDULER_RUN_TALLY_H
#define SCHEDULER_RUN_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"

enum { RUN_TALLY_MS = 60 * 1000 };

/* Set to zero but for the first three, which are lent. */
struct run_tally {
    const struct settings *settings;
    const char *handler;
    const char *actor; /* "kind/id"; NULL: the user at the command line */
    int64_t runs, failed, items, took_ms;
    int64_t said_ms;   /* monotonic; 0: never */
    bool kept;         /* what is not said is in Redis */
    int64_t looked_ms; /* likewise: for what processes that are gone left there */
    struct error why;  /* of the last that failed */
};

/* One run; failed: what kept it from its end, or NULL. */
void run_tally_add(struct run_tally *t, int64_t items, int64_t took_ms, const struct error *failed);

/* Says what is to be said; now: whatever was said when. Where Redis does not take it, the next call says it. */
void run_tally_say(struct run_tally *t, struct redis *r, bool now);

#endif
