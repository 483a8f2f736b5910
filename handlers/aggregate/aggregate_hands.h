/*
 * handlers/aggregate/aggregate_hands.h - marks divided among hands that work at the same time, each with links of its
 * own, so that one page is searched while another is written. As many as the handler's `parallel` says.
 */
#ifndef HANDLERS_AGGREGATE_AGGREGATE_HANDS_H
#define HANDLERS_AGGREGATE_AGGREGATE_HANDS_H

#include "handlers/aggregate/aggregation.h"

/* As aggregate_work_off, of events that searches may not see yet. */
bool aggregate_hands_work_off(struct aggregation *a, struct clock_run *run, struct dirty_mark *marks, size_t count,
                              struct error *err) must_check;

void aggregate_hands_free(struct aggregation *a);

#endif
