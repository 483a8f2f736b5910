/*
 * handlers/report/report_csv.h - lines of comma-separated fields (RFC 4180), and what both standards' tables share. A
 * title that a spreadsheet would take for a formula is made none.
 */
#ifndef HANDLERS_REPORT_REPORT_CSV_H
#define HANDLERS_REPORT_REPORT_CSV_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct csv {
    struct buf *out;
    size_t fields; /* in this line */
};

void csv_text(struct csv *c, const char *text); /* NULL: an empty field */
void csv_int(struct csv *c, int64_t number);
void csv_end(struct csv *c);

/* A line of two fields. */
void csv_pair(struct csv *c, const char *name, const char *value);

/* "Reporting_Period_Total", then a column for each month; and the numbers under them. */
void csv_month_titles(struct csv *c, int first, int last);
void csv_month_counts(struct csv *c, const int64_t *counts, int first, int last);

/* Texts at a path in each member of an array, "A; B". */
void csv_list(struct csv *c, const json_t *array, const char *member);

#endif
