/*
 * handlers/report/report.h - usage reports as COUNTER wants them: PR, IR and IR_A1 of the Code of Practice 5.1, DSR of
 * the Code of Practice for Research Data; gathered, put into the standard's JSON and checked against its rules.
 *
 * What robots did is in neither. Machines are robots to 5.1; to research data they are an access method of their own.
 */
#ifndef HANDLERS_REPORT_REPORT_H
#define HANDLERS_REPORT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/progress.h"
#include "config/settings.h"
#include "handlers/report/report_records.h"
#include "handlers/report/report_usage.h"
#include "indexer/client.h"

enum report_kind { REPORT_PR, REPORT_IR, REPORT_IR_A1, REPORT_DSR, REPORT_KINDS };

/* Codes of exceptions. Those below 1000 are the provider's own. */
enum {
    EXCEPTION_COMPRESSED = 69,
    EXCEPTION_RESTATED = 100,
    EXCEPTION_NO_USAGE = 3030,
    EXCEPTION_PARTIAL = 3040,
};

#define REPORT_RESTATED_MESSAGE "Restated Usage"

struct report {
    enum report_kind kind;
    int first, last;  /* months */
    int64_t until_us; /* where it ends: after the last month, or now */
    int64_t created_us;
    const struct report_settings *settings;
    struct arena *arena;
    struct usage *usage;
    const struct report_record **records; /* by the number of an item; NULL: not known */
    const struct usage_item **items;      /* sorted by id */
    size_t item_count, unknown_count;     /* of records; unknown_count of them are not known any more */
    json_t *restated;                     /* an array of {month, reason, time} */
    json_t *document;                     /* the report */
};

/* "PR" */
const char *report_kind_name(enum report_kind kind);
bool report_kind_find(const char *standard, const char *name, enum report_kind *kind, struct error *err) must_check;

/*
 * A finished report, its document checked. NULL: ERROR_AGAIN; ERROR_CONFIG where [report] lacks something; ERROR_INPUT
 * for months that are not over (of research data the last may still run), and where the document breaks a rule of the
 * standard, with the path to it.
 */
struct report *report_make(struct client *c, const struct settings *s, enum report_kind kind, int first, int last,
                           struct progress *progress, struct error *err) must_check;
void report_free(struct report *r); /* NULL is fine */

/* Whether nothing was used. */
bool report_is_empty(const struct report *r);

/* The standard's tabular form, its columns separated by commas (RFC 4180). */
void report_add_csv(const struct report *r, struct buf *out);

/* Counts of every month by metric: counts[(month - first) * USAGE_METRICS + metric]. */
void report_add_counts(const struct report *r, const struct usage_item *item, int64_t *counts);

#endif
