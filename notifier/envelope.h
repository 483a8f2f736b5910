/*
 * notifier/envelope.h - from JSON to an event: CloudEvents 1.0 and the short form, with every check of the envelope.
 *
 * The short form {"event_type": T, "payload": {...}} becomes type and data; its time is payload.timestamp where there
 * is one (it must be a time), else now. Its id, where none is given, is random, or left empty if the payload has a
 * timestamp: then envelope_name gives it one by which a repeated sending is recognised.
 */
#ifndef NOTIFIER_ENVELOPE_H
#define NOTIFIER_ENVELOPE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "notifier/event.h"

/*
 * Fills e from one JSON object; spans lie in the arena. *data is the data object, owned by the caller, NULL for none;
 * e->data and e->unique are left empty, as preparation comes first. ERROR_INPUT names the attribute.
 */
bool envelope_read(const json_t *object, struct arena *arena, struct event *e, json_t **data,
                   struct error *err) must_check;

/* Gives an event without id one made of its type and data: a digest, or by a key where data must not be guessed from
 * it. */
void envelope_name(struct event *e, const json_t *data, struct keyed_hash *key, struct arena *arena);

/* The attributes alone, given as name and value (binary mode: ce- headers without "ce-"; emit's arguments). */
bool envelope_attribute(struct event *e, const char *name, const char *value, struct arena *arena,
                        struct error *err) must_check;

/* What every envelope must have, once its attributes are set; fills in the time where it is absent. */
bool envelope_complete(struct event *e, struct arena *arena, struct error *err) must_check;

/* Whether a door may take it: types that begin with "crier." are the service's own. ERROR_INPUT. */
bool envelope_admitted(const struct event *e, struct error *err) must_check;

/* Whether a content type is application/json or anything +json, whatever its parameters. */
bool envelope_is_json(struct span content_type);

#endif
