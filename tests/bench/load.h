/* tests/bench/load.h - the same events and documents for every measurement, made from their number alone. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/redis.h"
#include "config/settings.h"
#include "notifier/event.h"

enum { LOAD_TOGETHER = 1000 };

/* Event number n as it stands in the stream: prepared, with its unique id. distinct: n and n + distinct share an id. */
void load_event(struct event *e, int64_t n, int64_t distinct, struct arena *arena);

/* The action line and the document that the statistics handler writes for it. */
void load_add_bulk(struct buf *out, const char *index, const struct event *e);

/* Event number n as a platform sends it to the door, with address and user agent. */
void load_add_raw(struct buf *out, int64_t n);

/* Events 0 to below count, a multiple of LOAD_TOGETHER, into their queues; whether that queue's only group is through.
 */
void load_append(const struct settings *s, struct redis *r, int64_t count, int64_t distinct);
bool load_is_done(struct redis *r, const char *queue, struct arena *arena);

#endif
