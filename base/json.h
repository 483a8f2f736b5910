/*
 * base/json.h - what jansson does not do: limits, positions, paths, and writing into a buf.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

enum {
    JSON_DEPTH_DEFAULT = 64,
    JSON_DEPTH_MOST = 2048, /* jansson's own; for what was let in under a limit of its own already */
};

/*
 * One JSON value that fills the text. Refused as ERROR_INPUT, with line, column and byte: anything not RFC 8259,
 * deeper than depth, duplicate keys, bad UTF-8, NUL (also as \u0000), numbers outside int64 or double.
 * The caller owns the value; NULL on failure.
 */
json_t *json_text_parse(const char *bytes, size_t length, int depth, struct error *err) must_check;

/* The value at a dotted path ("data.user.id"); a key that itself holds dots is found too. Borrowed; NULL: none. */
json_t *json_at(const json_t *object, const char *path);

/*
 * Whether a JSON object, as json_add wrote it (compact, valid), has a member at its top level; member is written as it
 * would stand there, with quotes and colon ("\"time\":"). Without parsing: for the hot path.
 */
bool json_text_has_member(const char *object, size_t length, const char *member);

/* Likewise the member's value, as JSON text (a string with its quotes). False: there is no such member. */
bool json_text_member(const char *object, size_t length, const char *member, struct span *value);

/* Writes compactly, keys in the order they were added, numbers in their shortest form that reads back the same. */
void json_add(struct buf *out, const json_t *value);

/* The same with keys sorted: equal values give equal bytes. */
void json_add_sorted(struct buf *out, const json_t *value);

/* A string, number or boolean as text in scratch or borrowed from value; NULL for anything else. */
const char *json_scalar_text(const json_t *value, struct buf *scratch);

/* Text of a string member, or the fallback. Borrowed. */
const char *json_member_text(const json_t *object, const char *key, const char *fallback);

#endif
