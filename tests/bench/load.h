/* tests/bench/load.h - the same events and documents for every measurement, made from their number alone. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "notifier/event.h"

/* Event number n as it stands in the stream: prepared, with its unique id. distinct: n and n + distinct share an id. */
void load_event(struct event *e, int64_t n, int64_t distinct, struct arena *arena);

/* The action line and the document that the statistics handler writes for it. */
void load_add_bulk(struct buf *out, const char *index, const struct event *e);

/* Event number n as a platform sends it to the door, with address and user agent. */
void load_add_raw(struct buf *out, int64_t n);

#endif
