/*
 * handlers/repair/restate_clicks.h - which clicks count (clicks = cop51), found out anew from the documents themselves:
 * also for those that came later than `lateness`, or whose state in Redis was lost.
 */
#ifndef HANDLERS_REPAIR_RESTATE_CLICKS_H
#define HANDLERS_REPAIR_RESTATE_CLICKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/repair/store.h"

struct restate_tally {
    int64_t clicks, wrong; /* looked at; of which `counted` was wrong */
};

/*
 * The clicks of a time range, and those of the half minute before it, as they may be followed by its first. Clicks so
 * young that another may still come before them are left to the handler. dry_run only counts. ERROR_INPUT: the
 * documents do not tell whose click on what they are.
 */
bool restate_clicks(struct handler *h, const struct store *s, struct time_range range, struct clock_run *run,
                    bool dry_run, struct restate_tally *tally, struct error *err) must_check;

#endif
