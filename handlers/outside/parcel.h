/*
 * handlers/outside/parcel.h - events that go out of crier together, found again by the ids that an answer names.
 *
 * No two events of a parcel have the same id, as of different sources they may: the second begins the next parcel.
 * Memory is of the batch's arena.
 */
#ifndef HANDLERS_OUTSIDE_PARCEL_H
#define HANDLERS_OUTSIDE_PARCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/span_table.h"
#include "notifier/batch.h"

struct parcel {
    struct batch *batch;
    struct delivery **items;
    size_t count, open; /* open: without outcome (yet) */
    struct span_table by_id;
};

/* How long a pass of so long a deadline may begin parcels: a stop does not wait for a whole batch. */
int64_t parcel_pass_ms(int64_t deadline_ms);

void parcel_init(struct parcel *p, struct batch *b);

/* The first deliveries without outcome, most at most. False: there is none. */
bool parcel_fill(struct parcel *p, size_t most) must_check;

/* NULL: no such event is in it. */
struct delivery *parcel_find(const struct parcel *p, struct span id);

/* The outcome of one of its events; the first counts. */
void parcel_settle(struct parcel *p, struct delivery *d, enum outcome outcome, const char *reason, const char *reply);

/* Gives it to all that have none. */
void parcel_settle_open(struct parcel *p, enum outcome outcome, const char *reason, const char *reply);

/* What the batch still has besides comes again soon, at no cost: the pass has no time left. */
void parcel_leave_rest(struct parcel *p);

#endif
