/*
 * base/json_cut.h - the elements of a JSON array, or the members of an object, cut out of their text one by one before
 * any is parsed: memory follows the largest of them, and the mistake of one stays its own.
 */
#ifndef BASE_JSON_CUT_H
#define BASE_JSON_CUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

struct json_cut {
    const char *at, *end; /* of what is not cut yet; after JSON_CUT_WRONG at is the misplaced byte, or the end */
    char close;
    bool comma; /* one stands before at: something has to follow */
};

enum json_cut_step {
    JSON_CUT_ONE,
    JSON_CUT_END,   /* that was all, and at is behind the bracket */
    JSON_CUT_WRONG, /* no comma or bracket where one has to be */
};

/* Behind the white space at the text's beginning. */
const char *json_skip_blanks(const char *at, const char *end);

/* False: the text does not begin with that bracket, '[' or '{' (white space before it is passed over). */
bool json_cut_start(struct json_cut *c, struct span text, char open);

/* The next element or member ("name": value), not looked into: it need not be JSON. */
enum json_cut_step json_cut_next(struct json_cut *c, struct span *one);

/* Whether nothing but white space follows what was cut. */
bool json_cut_is_all(struct json_cut *c);

/* The value of a member that was cut out, where it has this name, written without escapes. */
bool json_cut_value(struct span member, const char *name, struct span *value);

#endif
