/*
 * handlers/aggregate/aggregate_page.h - marks are worked off: computed, written, told to the records' counters,
 * settled.
 */
#ifndef HANDLERS_AGGREGATE_AGGREGATE_PAGE_H
#define HANDLERS_AGGREGATE_AGGREGATE_PAGE_H

#include "handlers/aggregate/aggregation.h"

/*
 * Marks in the order of aggregate_sort, of events that searches see. They go in pages whose size shrinks where a search
 * fails and grows slowly. False (ERROR_AGAIN): what is not done is still marked; what OpenSearch refuses is marked
 * anew, so that it comes last, and the error says so when all the rest is done.
 */
bool aggregate_work_off(struct aggregation *a, struct clock_run *run, const struct dirty_mark *marks, size_t count,
                        struct error *err) must_check;

#endif
