/*
 * notifier/unique.h - the unique id of an event, computed once at the door and carried in the stream.
 *
 * `unique = data.recid visitor_id time/10s`: the named fields, in order, each with its length, after the event's type.
 * Words: data.PATH; an envelope attribute (id source type time subject revision actor operation); a bare name that a
 * preparation step makes (visitor_id, unique_session_id, country, is_robot, is_machine), read from data; time/SPAN for
 * the start of the tumbling window the time falls into. Without `unique` the id is made of source and id.
 * SHA-256 cut to 128 bits, as 32 hexadecimal digits.
 */
#ifndef NOTIFIER_UNIQUE_H
#define NOTIFIER_UNIQUE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "notifier/event.h"

struct unique;

struct unique *unique_new(const char *words, struct error *err) must_check; /* "" for (source, id) */
void unique_free(struct unique *u);
bool unique_check(const char *words, struct error *err); /* for configuration rows */

/* data: the event's data, prepared; may be NULL. A field that is missing is ERROR_INPUT and named. */
bool unique_id(struct unique *u, const struct event *e, const json_t *data, char out[ID_TEXT_BYTES],
               struct error *err) must_check;

/* Whether the id is computed from fields, so that the latest of several events with one id stays. */
bool unique_latest_wins(const struct unique *u);

#endif
