/*
 * base/json_scan.h - steps through JSON text without making anything of it, for texts that are mostly passed on.
 *
 * The text may be laid out in any way. It is looked at only as far as needed to find where values end: what lies in a
 * value that is stepped over need not be valid. Nothing is read beyond the end.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/text.h"

/* Goes over the members of an object or the items of an array. */
struct json_scan {
    const char *at, *end;
    char closing;      /* '}' or ']' */
    bool first;        /* no member was read yet */
    bool broken;       /* the text ended in the middle, or is no such value */
    struct span key;   /* of the member: what stands between its quotes, escapes as they are */
    struct span value; /* its text, a string with its quotes */
};

/* text is one value with white space around it. False: it is no object, or no array. */
bool json_scan_object(struct json_scan *s, struct span text) must_check;
bool json_scan_array(struct json_scan *s, struct span text) must_check;

/* The next member or item into key and value. False: none is left, or the text is broken (then s->broken). */
bool json_scan_next(struct json_scan *s) must_check;

/*
 * The value of an object's member. False: there is none, it comes twice, or the text is broken. A name that has escapes
 * in the text is not found.
 */
bool json_scan_member(struct span object, const char *name, struct span *value) must_check;

/* Behind a string's closing quote, or end where it has none; at is its opening one. */
const char *json_scan_string(const char *at, const char *end);

/* A number without fraction and exponent. */
bool json_scan_int(struct span value, int64_t *number) must_check;

#endif
