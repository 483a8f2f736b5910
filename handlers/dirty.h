/*
 * handlers/dirty.h - which keys changed since they were last computed: a sorted set in Redis per handler that computes.
 *
 * A mark is (interval, key). Each marking gives it a number that only grows, even over an emptied Redis; a page of work
 * takes marks without removing them, and when what was computed is durable, removes those whose number is still the
 * same. So nothing that comes meanwhile is lost, and a run that dies leaves its page to the next.
 *
 * The order that matters: first the events are indexed, then marked, then acknowledged; and a run first takes marks,
 * then refreshes the index, then searches it.
 */
#ifndef HANDLERS_DIRTY_H
#define HANDLERS_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "base/text.h"

struct dirty_mark {
    struct span key;
    int64_t interval_us; /* start of the interval; 0 where there are no intervals */
    int64_t number;      /* of the marking, filled by dirty_page: microseconds since 1970, or a little more */
};

/* handler: the one that is to compute; queue: the one whose slot holds the marks. Marks given twice count once. */
bool dirty_mark(struct redis *r, const char *queue, const char *handler, const struct dirty_mark *marks, size_t count,
                struct error *err) must_check;

/* Up to most marks, those first that wait longest; in the arena. *count 0: there are none. */
bool dirty_page(struct redis *r, const char *queue, const char *handler, size_t most, struct arena *arena,
                struct dirty_mark **marks, size_t *count, struct error *err) must_check;

/* Removes the marks of a page, but for those that were marked again since. */
bool dirty_settle(struct redis *r, const char *queue, const char *handler, const struct dirty_mark *marks, size_t count,
                  struct error *err) must_check;

bool dirty_count(struct redis *r, const char *queue, const char *handler, int64_t *count, struct error *err) must_check;

#endif
