/*
 * base/json_compact.h - JSON text checked and packed in one pass over its bytes, and found one's way in, without ever
 * being built: for documents that are only passed on.
 *
 * Compact text has no white space outside strings, so it is one line. Strings and numbers stay byte for byte as they
 * were written; a name that is written with escapes is not found by its path.
 */
#ifndef BASE_JSON_COMPACT_H
#define BASE_JSON_COMPACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

/*
 * Appends one JSON value that fills the text. Refused as ERROR_INPUT, with the byte: anything not RFC 8259, nested
 * deeper than depth (at most JSON_COMPACT_DEPTH_MOST), bad UTF-8, half a surrogate pair. Duplicate keys are not looked
 * for.
 */
enum { JSON_COMPACT_DEPTH_MOST = 2048 };
bool json_compact(const char *bytes, size_t length, size_t depth, struct buf *out, struct error *err) must_check;

/* For compact text only: */

/* The value at a dotted path, "" for the value itself; a name that itself holds dots is found too. */
bool json_compact_at(struct span value, const char *path, struct span *found);

/* The elements of an array in turn; *at starts as 0. False: no more, or it is no array. */
bool json_compact_next(struct span array, size_t *at, struct span *element);

/* A string without its quotes and escapes, or a number as it is written; NUL-ended, in the arena. False: another kind.
 */
bool json_compact_text(struct span value, struct arena *arena, struct span *text);

/* An integer, also one written as a string. False: none, or beyond 64 bits. */
bool json_compact_integer(struct span value, int64_t *number);

bool json_compact_is_object(struct span value);

#endif
