/*
 * handlers/aggregate/aggregate_seed.h - marks for all that may have to be computed: at the take-over from
 * invenio-stats, where Redis lost its marks, and where an operator asks for it.
 */
#ifndef HANDLERS_AGGREGATE_AGGREGATE_SEED_H
#define HANDLERS_AGGREGATE_AGGREGATE_SEED_H

#include "handlers/aggregate/aggregate_walk.h"

/*
 * Once for each handler and Redis: all keys of events that were indexed since the last bookmark, with a margin, or all
 * there are. A bookmark that lies in the future says nothing, and is said.
 */
bool aggregate_seed_once(struct aggregation *a, struct clock_run *run, struct error *err) must_check;

/*
 * For the end of a run that left nothing undone: false (ERROR_AGAIN) where marks may have gone meanwhile, so that no
 * bookmark tells the next beginning to pass over what they stood for.
 */
bool aggregate_still_seeded(struct aggregation *a, struct error *err) must_check;

/*
 * Marks the keys of all events of the range, and of all aggregates, so that those whose events are gone go too. But
 * aggregates from before the first event stay: their events were removed by age.
 */
bool aggregate_seed_range(struct aggregation *a, struct time_range range, struct clock_run *run,
                          struct error *err) must_check;

/* When a run last left nothing undone, in microseconds; 0: not known. */
bool aggregate_last_run(struct redis *r, const struct handler_settings *hs, int64_t *time_us,
                        struct error *err) must_check;
bool aggregate_note_run(struct aggregation *a, int64_t time_us, struct error *err) must_check;

#endif
