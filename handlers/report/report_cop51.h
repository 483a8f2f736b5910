/* handlers/report/report_cop51.h - a report in the JSON of COUNTER's Code of Practice 5.1, and in its tabular form. */
#ifndef HANDLERS_REPORT_REPORT_COP51_H
#define HANDLERS_REPORT_REPORT_COP51_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

struct report;

json_t *report_cop51_document(const struct report *r); /* the caller's */
void report_cop51_add_csv(const struct report *r, struct buf *out);

/* Whether a document is a PR, IR or IR_A1 by the rules of COUNTER_API.json. False: ERROR_INPUT with the path. */
bool report_check_cop51(const json_t *document, struct error *err) must_check;

#endif
