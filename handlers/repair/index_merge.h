/*
 * handlers/repair/index_merge.h - a longer interval for the indices of a handler, while it is at work: the documents of
 * all months of a year, say, come together in one index of that year. Neither readers nor writers notice.
 *
 * For each new index: it is made and taken out of the aliases while it is empty; documents are copied, again and again,
 * until little is new; the old indices are closed for writing (crier's own writers wait), the rest is copied and all is
 * compared; one change of aliases lets the new index take the place of the old ones; and when searches that began
 * before have ended, the old indices go, and their names, like those of the rest of the interval, are aliases of the
 * new index: who still writes by the old suffix writes to the right place.
 *
 * Every step is safe to repeat. What the next one is can be read from the cluster itself: a note in the mapping of the
 * new index (_meta.crier_reindex) says that it is not finished, and how far each old index was copied.
 */
#ifndef HANDLERS_REPAIR_INDEX_MERGE_H
#define HANDLERS_REPAIR_INDEX_MERGE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/repair/store.h"

/*
 * What is to be done: [{"index", "begun", "documents", "sources": [NAME ...]}], empty where all is done. ERROR_INPUT:
 * it cannot be done, and why. Caller's.
 */
bool index_merge_plan(struct client *c, const struct store *s, const char *suffix, json_t **plan,
                      struct error *err) must_check;

/* Does it; the handler's template is installed. On failure the old indices can be written to again. */
bool index_merge_run(struct handler *h, const struct store *s, const char *suffix, struct clock_run *run,
                     struct error *err) must_check;

/* Gives up what was begun: the old indices can be written to again, new ones that are not finished are gone. */
bool index_merge_cancel(struct client *c, const struct store *s, const char *suffix, struct error *err) must_check;

#endif
