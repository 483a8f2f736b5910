/*
 * handlers/reconcile/reconcile_round.h - one round of a handler of type reconcile through all there is: where it is,
 * what it found so far, and how the last one ended. Kept in Redis: any process goes on with it.
 */
#ifndef HANDLERS_RECONCILE_RECONCILE_ROUND_H
#define HANDLERS_RECONCILE_RECONCILE_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"
#include "handlers/reconcile/comparison.h"

struct reconcile_round {
    int64_t started_us; /* 0: none is under way */
    const char *walk;   /* what it walks through: a position means nothing to another walk. In the arena */
    const char *position;
    int64_t last_number; /* of an index: where the round ends, as a sequence number */
    struct comparison_tally tally;
    int64_t ended_us, took_ms; /* of the last whole round; 0: there was none */
    struct comparison_tally ended;
};

bool reconcile_round_read(struct redis *r, const struct handler_settings *hs, struct arena *arena,
                          struct reconcile_round *out, struct error *err) must_check;
bool reconcile_round_note(struct redis *r, const struct handler_settings *hs, const struct reconcile_round *round,
                          struct error *err) must_check;

/* For people: "... documents looked at, ... subjects behind". */
struct buf;
void reconcile_add_tally(const struct comparison_tally *t, struct buf *out);

/* The round under way and the last whole one: a line for people, or a JSON object. */
void reconcile_round_tell(const struct reconcile_round *round, bool json, struct buf *out);

/* To a sum; the greater age stays. */
void reconcile_tally_add(struct comparison_tally *to, const struct comparison_tally *more);

#endif
