/*
 * notifier/unique.h - the unique id of an event, computed once at the door and carried in the stream.
 *
 * `unique = data.recid visitor_id time/10s`: the named fields, in order, each with its length, after the event's type.
 * Words: data.PATH; an envelope attribute (id source type time subject revision actor operation); a bare name that a
 * preparation step makes (visitor_id, unique_session_id, country, is_robot, is_machine), read from data; time/SPAN for
 * the start of the tumbling window the time falls into. Without `unique` the id is made of source and id.
 * SHA-256 cut to 128 bits, as 32 hexadecimal digits.
 *
 * `clicks = window SPAN` adds such a window to the fields (0s: the second).
 * `clicks = cop51`: each click has an id of its own, of source and id; what `unique` names, without a window, becomes
 * the click's digest, by which it is told whether another one follows.
 * `id = reference`: the start of the window (2026-11-20T21:40:00, UTC) and the SHA-1 of data.unique_id and
 * data.visitor_id, as invenio-stats names its documents.
 */
#ifndef NOTIFIER_UNIQUE_H
#define NOTIFIER_UNIQUE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "config/settings.h"
#include "notifier/event.h"

enum { UNIQUE_TEXT_BYTES = 64 };

struct unique;

struct unique_options {
    const char *words; /* "" for (source, id), and with id = reference */
    const char *clicks;
    enum id_form form;
};

struct unique *unique_new(const struct unique_options *o, struct error *err) must_check; /* NULL: ERROR_CONFIG */
void unique_free(struct unique *u);

/* For configuration rows: each alone, and all that concerns ids in an event section. */
bool unique_check(const char *words, struct error *err);
bool unique_clicks_check(const char *clicks, struct error *err);
bool unique_section_check(const void *event_settings, struct error *err);

/* data: the event's data, prepared; may be NULL. A field that is missing is ERROR_INPUT and named. */
bool unique_id(struct unique *u, const struct event *e, const json_t *data, char out[UNIQUE_TEXT_BYTES],
               struct error *err) must_check;

/* The click's digest; "" where clicks are not told apart by what follows them. */
bool unique_click(struct unique *u, const struct event *e, const json_t *data, char out[ID_TEXT_BYTES],
                  struct error *err) must_check;

/* Whether the id is computed from fields, so that the latest of several events with one id stays. */
bool unique_latest_wins(const struct unique *u);

#endif
