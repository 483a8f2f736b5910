/*
 * handlers/aggregate/aggregate_compute.h - aggregates as they must be: computed from the events, and kept nowhere yet.
 */
#ifndef HANDLERS_AGGREGATE_AGGREGATE_COMPUTE_H
#define HANDLERS_AGGREGATE_AGGREGATE_COMPUTE_H

#include "handlers/aggregate/aggregation.h"

struct aggregate_result {
    struct dirty_mark mark;
    struct span document; /* JSON; length 0: no event counts for the key */
    const char *parent;   /* whose record counters it changes; NULL: nobody's */
    int64_t *uniques;     /* for each metric; of METRIC_UNIQUE only */
    bool again;           /* not told by the quick search: asked for by itself, with its latest event */
};

/* By interval, then key: the order that aggregate_compute needs. */
void aggregate_sort(struct dirty_mark *marks, size_t count);

/* What is true of all computing that follows: to be asked before, once in a while. */
bool aggregate_look(struct aggregation *a, struct error *err) must_check;

/*
 * A result for each mark, in the same order and in the arena. One search for each interval; what a search cannot bear
 * is ERROR_AGAIN, and fewer marks may go through.
 */
bool aggregate_compute(struct aggregation *a, const struct dirty_mark *marks, size_t count, struct arena *arena,
                       struct aggregate_result **results, struct error *err) must_check;

#endif
