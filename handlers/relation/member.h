/*
 * handlers/relation/member.h - a member of a JSON object at a dotted path, also where keys themselves hold dots
 * ({"user": {"id": 1}} and {"user.id": 1} are the same to OpenSearch), and in each object of an array on the way.
 */
#ifndef HANDLERS_RELATION_MEMBER_H
#define HANDLERS_RELATION_MEMBER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Parts separated by single dots, none empty, not too long: ERROR_CONFIG names the path. */
bool member_path_check(const char *path, size_t length, struct error *err);

/* Whether one of the paths is the other, or leads to it. */
bool member_paths_meet(const char *a, const char *b);

/*
 * Sets it where it is, else in what there is of its path, else with_dots as one key, or as objects in objects. What
 * stands in the way and is no object is replaced. The value is copied: no two documents share what they may change.
 * True: it was another value before, or none.
 */
bool member_set(json_t *object, const char *path, const json_t *value, bool with_dots);

/* True: there was one. */
bool member_remove(json_t *object, const char *path);

#endif
