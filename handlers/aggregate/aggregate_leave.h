/*
 * handlers/aggregate/aggregate_leave.h - whose counters change with an aggregate that goes: noted before it is deleted,
 * as nothing tells of it any more to who goes on after a crash, or after a reply that was lost.
 */
#ifndef HANDLERS_AGGREGATE_AGGREGATE_LEAVE_H
#define HANDLERS_AGGREGATE_AGGREGATE_LEAVE_H

#include "handlers/aggregate/aggregation.h"

/* The keys of the marks are parents. */
bool aggregate_leave_note(struct aggregation *a, const struct dirty_mark *parents, size_t count,
                          struct error *err) must_check;

/* Marks the records of all that were noted, and forgets them: for the start of a run. */
bool aggregate_leave_mark(struct aggregation *a, struct error *err) must_check;

#endif
