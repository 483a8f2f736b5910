/*
 * handlers/report/report_coprd.h - a dataset report (DSR) of the Code of Practice for Research Data in the JSON that
 * its hub takes, and in its tabular form.
 *
 * An entry per version of a dataset, and one for all of its versions together (dataset-version All). Counts have their
 * countries, and the megabytes that were transferred (volume), each file once in a session where the count is unique.
 */
#ifndef HANDLERS_REPORT_REPORT_COPRD_H
#define HANDLERS_REPORT_REPORT_COPRD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

struct report;

json_t *report_coprd_document(const struct report *r); /* the caller's */
void report_coprd_add_csv(const struct report *r, struct buf *out);

/* The same header with a part of the datasets, marked as compressed; the caller's. */
json_t *report_coprd_part(const json_t *document, size_t first, size_t count);

/* Whether a document is a DSR by the rules of the hub's schema. False: ERROR_INPUT with the path. */
bool report_check_coprd(const json_t *document, struct error *err) must_check;

#endif
