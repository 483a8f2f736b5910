/*
 * handlers/touched.h - the keys whose aggregates change with a batch of documents: collected, then marked dirty, each
 * once (handlers/dirty.h).
 *
 * All documents count, whatever an aggregation's `where` leaves out: a key too many costs a computation, no more.
 */
#ifndef HANDLERS_TOUCHED_H
#define HANDLERS_TOUCHED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"
#include "notifier/event.h"

struct touched;

/* For the handlers of type aggregate that read what this handler of type statistics writes; there may be none. */
struct touched *touched_new(const struct settings *s, const struct handler_settings *writer);
void touched_free(struct touched *t); /* NULL is fine */

/* Begins a batch; what is kept of it lies in the arena. */
void touched_start(struct touched *t, struct arena *arena);

/* The document that was made of an event; one without a key, or with several, is left aside. */
void touched_add(struct touched *t, const struct event *e);

/* Marks all, then none is left. False: some may be marked and some not (ERROR_AGAIN). */
bool touched_mark(struct touched *t, struct redis *r, struct error *err) must_check;

#endif
