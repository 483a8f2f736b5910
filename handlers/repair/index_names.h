/*
 * handlers/repair/index_names.h - "events-stats-record-view-{time:%Y-%m}": the names that such a template gives, one
 * for each hour, day, month or year, and which time each stands for.
 */
#ifndef HANDLERS_REPAIR_INDEX_NAMES_H
#define HANDLERS_REPAIR_INDEX_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

enum { INDEX_FORMAT_BYTES = 32, INDEX_NAME_BYTES = 256 };

struct index_names {
    char before[INDEX_NAME_BYTES], after[INDEX_NAME_BYTES];
    char format[INDEX_FORMAT_BYTES]; /* of strftime */
};

/* The text of the template must have {time:FORMAT} as its only placeholder. */
bool index_names_parse(const char *template, struct index_names *out, struct error *err) must_check;

/* The same names with another format for the time. */
bool index_names_change(const struct index_names *n, const char *format, struct index_names *out,
                        struct error *err) must_check;

void index_name_add(const struct index_names *n, int64_t time_us, struct buf *out);

/* The start of the time that a name stands for. False: the template gives no such name. */
bool index_name_time(const struct index_names *n, const char *name, int64_t *start_us);

/* The start of the next name's time, and of the one before that holds a time. */
int64_t index_name_next(const struct index_names *n, int64_t start_us);
int64_t index_name_start(const struct index_names *n, int64_t time_us);

/* Whether all that goes to one name of the first goes to one name of the second, which is another. */
bool index_names_coarser(const struct index_names *from, const struct index_names *to, struct error *err) must_check;

#endif
