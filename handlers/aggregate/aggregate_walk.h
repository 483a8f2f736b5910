/*
 * handlers/aggregate/aggregate_walk.h - which keys there are, interval by interval: among the events, or among the
 * aggregates.
 */
#ifndef HANDLERS_AGGREGATE_AGGREGATE_WALK_H
#define HANDLERS_AGGREGATE_AGGREGATE_WALK_H

#include "handlers/aggregate/aggregation.h"
#include "handlers/time_range.h"

/* Keys of one interval, sorted; lent for the call. */
typedef bool (*walk_visit)(void *context, struct dirty_mark *keys, size_t count, struct error *err);

/* Of all events of whole intervals that lie in the range, or partly, whatever `where` says. narrow: a further query,
 * borrowed; NULL: none. */
bool aggregate_walk_events(struct aggregation *a, struct time_range range, const json_t *narrow, struct clock_run *run,
                           walk_visit visit, void *context, struct error *err) must_check;

bool aggregate_walk_aggregates(struct aggregation *a, struct time_range range, struct clock_run *run, walk_visit visit,
                               void *context, struct error *err) must_check;

/* The start of the interval of the first event; INT64_MAX: there is none. */
bool aggregate_first_interval(struct aggregation *a, int64_t *start_us, struct error *err) must_check;

/* A query for aggregates whose interval lies in the range, or partly. */
json_t *aggregate_range_query(const struct aggregation *a, struct time_range range);

#endif
