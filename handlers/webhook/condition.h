/*
 * handlers/webhook/condition.h - which events are wanted: a condition on an event's attributes and data.
 *
 *     data.resource_type = software and (data.community in (astronomy, physics) or not exists data.embargo)
 *
 * FIELD is data.PATH, subject.kind, subject.id, actor.kind, actor.id or an attribute (type, source, revision ...).
 * FIELD = VALUE, !=, <, <=, >, >=, FIELD in (VALUE, VALUE), exists FIELD (or FIELD exists), joined by not, and, or (in
 * this order of strength) and parentheses. A value is a word, or anything in double quotes (\" and \\ inside).
 *
 * Where a path leads through or to an array, one element that fits is enough. != is the opposite of =: it also holds
 * where the field is missing, and fails where one of several elements is equal. Two numbers compare as numbers;
 * everything else as text, byte by byte, so that times of one form compare as times. An ordering fits nothing that is
 * missing. Constant once made: any number of threads.
 */
#ifndef HANDLERS_WEBHOOK_CONDITION_H
#define HANDLERS_WEBHOOK_CONDITION_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "notifier/event.h"

enum { CONDITION_BYTES_MOST = 4096, CONDITION_DEPTH_MOST = 32 };

struct condition;

/* NULL: ERROR_CONFIG, with the place in the text. An empty text holds for every event. */
struct condition *condition_new(const char *text, struct error *err) must_check;
void condition_free(struct condition *c);                  /* NULL is fine */
bool condition_check(const char *text, struct error *err); /* for configuration rows */

/* data is compact JSON, as it is in a stream. */
bool condition_holds(const struct condition *c, const struct event *e);

#endif
