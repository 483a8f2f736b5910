/*
 * handlers/repair/reclassify.h - is_robot and is_machine of events found out anew, by the lists and rules of today,
 * from the class of the user agent that a document keeps (agent_class).
 */
#ifndef HANDLERS_REPAIR_RECLASSIFY_H
#define HANDLERS_REPAIR_RECLASSIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/repair/store.h"

struct reclassify_tally {
    int64_t looked_at, changed;
    int64_t without_class; /* nobody can tell by now who they were: they stay as they are */
};

/*
 * dry_run only counts. ERROR_INPUT: the handler's events have no section with lists. *unfinished: an earlier one was
 * cut off, perhaps before the keys of all that it changed were marked: all keys of its time range have to be.
 */
bool reclassify(struct handler *h, const struct store *s, struct time_range range, struct clock_run *run, bool dry_run,
                struct reclassify_tally *tally, bool *unfinished, struct error *err) must_check;

/* All is marked. */
bool reclassify_end(struct handler *h, struct error *err) must_check;

#endif
