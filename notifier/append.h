/*
 * notifier/append.h - append once: each event into every queue whose patterns match, unless its id was seen.
 *
 * One server-side script per queue checks the ids and appends, so that no crash can come between; calls for all
 * queues and chunks are pipelined. An event whose unique id is computed from fields (latest_wins) is appended again
 * when it is later in time than the one seen. One thread at a time.
 */
#ifndef NOTIFIER_APPEND_H
#define NOTIFIER_APPEND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"
#include "notifier/event.h"
#include "notifier/stream.h"

enum append_outcome {
    APPEND_UNKNOWN,   /* no reply: it may be there or not; sending again is safe */
    APPEND_NEW,       /* in at least one queue */
    APPEND_DUPLICATE, /* seen before in all of its queues */
    APPEND_NO_QUEUE,  /* no queue wants this type */
};

struct append;

struct append *append_new(const struct settings *settings, struct redis *redis);
void append_free(struct append *a);

/* outcomes[i] for events[i]. False: Redis failed, and some outcomes are APPEND_UNKNOWN. */
bool append_events(struct append *a, const struct event *const *events, size_t count, enum append_outcome *outcomes,
                   struct error *err) must_check;

/* The same, into that place of the queues: an event goes to the one or the other, never to both. */
bool append_events_at(struct append *a, enum stream_place place, const struct event *const *events, size_t count,
                      enum append_outcome *outcomes, struct error *err) must_check;

/* Whether any queue wants the type. */
bool append_wanted(const struct append *a, struct span type);

#endif
