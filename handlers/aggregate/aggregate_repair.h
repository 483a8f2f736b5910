/*
 * handlers/aggregate/aggregate_repair.h - what an operator asks of the aggregates of a time range: compute them again,
 * compare them with the events, delete them. Each is the work of a lane that holds the handler's lease.
 */
#ifndef HANDLERS_AGGREGATE_AGGREGATE_REPAIR_H
#define HANDLERS_AGGREGATE_AGGREGATE_REPAIR_H

#include "base/buf.h"
#include "handlers/aggregate/aggregate_walk.h"
#include "handlers/time_range.h"

enum { EXAMPLES_MOST = 10 };

struct aggregate_repair {
    struct time_range range;

    /* What aggregate_verify finds. examples: an array of {id, what, found, wanted}, the caller's. */
    int64_t compared, missing, surplus, different;
    json_t *examples;

    bool dry_run;    /* aggregate_delete only counts */
    int64_t deleted; /* by aggregate_delete */
};

/* These fit clock_work; context is a struct aggregate_repair. */
bool aggregate_recompute(struct handler *h, struct clock_run *run, void *context, struct error *err);
bool aggregate_verify(struct handler *h, struct clock_run *run, void *context, struct error *err);
bool aggregate_delete(struct handler *h, struct clock_run *run, void *context, struct error *err);

#endif
