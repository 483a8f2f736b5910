/*
 * notifier/archived.h - an event as a line of an archive: CloudEvents JSON, with what its preparation made of it.
 *
 *     {"specversion":"1.0","id":"7","source":"...","type":"record.viewed","time":"...","crierunique":"3f...",
 *      "crierclick":"a1...","crierlatest":true,"datacontenttype":"application/json","data":{...}}
 *
 * The unique id, the click's digest and whether the latest wins are extension attributes of crier's own: a replay finds
 * the same id as the door did, though the day's salt is gone.
 */
#ifndef NOTIFIER_ARCHIVED_H
#define NOTIFIER_ARCHIVED_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "notifier/event.h"

/* How every such line begins. */
#define ARCHIVED_START "{\"specversion\":\"1.0\""

/* One line, without line feed. */
void archived_add(const struct event *e, struct buf *out);

/*
 * Any CloudEvent as one line, at most that deep; spans lie in the arena. *data is the caller's, NULL for none, and
 * e->data is empty until archived_add_data. e->unique has length 0 where the line is of no archive: the event was not
 * prepared. ERROR_INPUT says what is wrong.
 */
bool archived_read(struct span line, int depth, struct arena *arena, struct event *e, json_t **data,
                   struct error *err) must_check;

/* The same of one that is parsed already. */
bool archived_read_object(const json_t *object, struct arena *arena, struct event *e, json_t **data,
                          struct error *err) must_check;

/* The data as text; NULL: none. */
void archived_set_data(struct event *e, const json_t *data, struct arena *arena);

#endif
