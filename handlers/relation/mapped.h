/* handlers/relation/mapped.h - what the mapping of an index says of a field. */
#ifndef HANDLERS_RELATION_MAPPED_H
#define HANDLERS_RELATION_MAPPED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Lent by the mapping. */
struct mapping_field {
    const char *type;     /* "object" where it holds others */
    const char *keyword;  /* of analysed text: its sub-field that is the text as it was; NULL: none */
    size_t nested_length; /* of the path: the innermost nested one around it; 0: none */
};

/* mapping: what stands at "mappings". False: there is no such field, or what holds it keeps its fields to itself. */
bool mapping_find(const json_t *mapping, const char *path, struct mapping_field *found);

bool mapping_is_number(const char *type); /* whole numbers */
bool mapping_is_analysed(const char *type);

/*
 * Whether a document may have a field at the path: it is known, or the innermost object on its way there that is known
 * is not strict, or does not say what it holds.
 */
bool mapping_takes(const json_t *mapping, const char *path);

/* "; did you mean "x"?" where a field has a name like it. */
void mapping_add_hint(const json_t *mapping, const char *path, struct buf *out);

#endif
