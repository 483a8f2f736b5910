/*
 * notifier/access_log/access_log_field.h - the fields of an event's data that a [url] section names: FIELD=VALUE, where
 * {name} in VALUE stands for a named group of the section's pattern or for what the line has.
 */
#ifndef NOTIFIER_ACCESS_LOG_ACCESS_LOG_FIELD_H
#define NOTIFIER_ACCESS_LOG_ACCESS_LOG_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "notifier/access_log/access_log_line.h"

struct access_group {
    const char *name; /* lent, by the compiled pattern */
    uint32_t number;
};

/* A line, and where in its path the groups of a pattern were found: pairs of offsets, as pcre2 has them. */
struct access_found {
    const struct access_line *line;
    const size_t *offsets;
    uint32_t pairs;
};

/* False: the group took no part in the match. */
bool access_found_group(const struct access_found *f, uint32_t number, struct span *out);

/* Whether a group or a word of `data` may be called so: not where the line itself fills the field. */
bool access_field_check(const char *name, size_t length, struct error *err) must_check;

struct access_fields;

/* data and groups are lent, as long as the fields live. NULL: ERROR_CONFIG. */
struct access_fields *access_fields_new(const char *data, const struct access_group *groups, size_t count,
                                        struct error *err) must_check;
void access_fields_free(struct access_fields *f); /* NULL is fine */

/* Sets those fields for which the line has all that they need. */
void access_fields_set(const struct access_fields *f, const struct access_found *found, struct buf *scratch,
                       json_t *data);

#endif
