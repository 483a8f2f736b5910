/*
 * handlers/repair/restated.h - which months were restated, and what they said before and after: the index
 * crier-restated, which reports read.
 */
#ifndef HANDLERS_REPAIR_RESTATED_H
#define HANDLERS_REPAIR_RESTATED_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/repair/store.h"

#define RESTATED_INDEX "crier-restated"

/*
 * What a time range sums up to: {"events", "counted", AGGREGATION: {"count", METRIC ...}}, of a handler of type
 * statistics and those of type aggregate that read it. Caller's.
 */
bool restated_totals(const struct handler *h, const struct store *s, struct time_range range, json_t **totals,
                     struct error *err) must_check;

/*
 * The totals before a restatement are kept in Redis until it has ended, so that one that was cut off still knows them:
 * *before is what is kept already, else what is given. Caller's.
 */
bool restated_begin(const struct handler *h, const char *month, const json_t *totals, json_t **before,
                    struct error *err) must_check;
bool restated_end(const struct handler *h, const char *month, struct error *err) must_check;

/* The index as one that is exported with the rest: what is lost with it, no event tells. */
struct store restated_store(void);

/* Writes the document for reports, in place of an earlier one of this handler and month. */
bool restated_note(const struct handler *h, const char *month, const char *reason, const json_t *before,
                   const json_t *after, struct error *err) must_check;

#endif
