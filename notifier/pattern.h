/*
 * notifier/pattern.h - patterns over event types, part by part.
 *
 * A type has dotted parts ("record.published"). In a pattern "*" stands for one part, "**" for any number of parts,
 * also none, and only as a whole part. A list is patterns separated by white space; it matches where one does.
 */
#ifndef NOTIFIER_PATTERN_H
#define NOTIFIER_PATTERN_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"
#include "config/settings.h"

bool patterns_check(const char *list, struct error *err); /* for configuration rows */
bool patterns_match(const char *list, struct span type);

/* The first queue whose events match the type; NULL: nobody wants it. */
const struct queue_settings *patterns_queue(const struct settings *s, const char *type);

#endif
