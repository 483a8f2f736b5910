/* handlers/mapping.h - "recid:keyword size:double": the fields of an index, in words of the configuration. */
#ifndef HANDLERS_MAPPING_H
#define HANDLERS_MAPPING_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

bool mapping_check(const char *words, struct error *err); /* for configuration rows */

/* Adds a word where the words do not name that field yet; an empty name is none. */
void mapping_add_word(struct buf *words, const char *name, const char *type);

/* The JSON object of "properties". The time field, which has that format, is there whether named or not. */
void mapping_add_properties(struct buf *out, const char *words, const char *time_field, const char *format);

#endif
