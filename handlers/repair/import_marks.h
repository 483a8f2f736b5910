/*
 * handlers/repair/import_marks.h - what has to be computed again once documents came back from files: the keys of
 * aggregates that events change, and the counters of records that aggregates change.
 *
 * What was there already is marked as well: an import that was cut off may have died between writing and marking.
 */
#ifndef HANDLERS_REPAIR_IMPORT_MARKS_H
#define HANDLERS_REPAIR_IMPORT_MARKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"
#include "handlers/handler.h"

struct import_marks;

/* h: of whatever type; only for statistics and aggregate there is something to mark. Lent. */
struct import_marks *import_marks_new(struct handler *h);
void import_marks_free(struct import_marks *m); /* NULL is fine */

/* A document of the handler, and the same as JSON. */
void import_marks_add(struct import_marks *m, const char *id, int64_t version, const json_t *source, struct span text);

/* Marks what was added, once it is durable. */
bool import_marks_set(struct import_marks *m, struct error *err) must_check;

#endif
