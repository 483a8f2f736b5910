/* notifier/backlog.h - no more events into Redis than its handlers take out of it. */
#ifndef NOTIFIER_BACKLOG_H
#define NOTIFIER_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"

/*
 * Of the queues that are asked for, the one of whose events its slowest handler has most to do; *events 0: none has
 * any. A group whose handler is no longer configured does not count.
 */
bool backlog_longest(const struct settings *s, struct redis *r,
                     bool (*asked)(const struct settings *s, const struct queue_settings *q, const void *context),
                     const void *context, int64_t *events, const char **queue, struct error *err) must_check;

/*
 * Waits until of each queue that the [url] sections' events go to, at most so many are left for the slowest of its
 * handlers; said once.
 */
bool backlog_wait(const struct settings *s, struct redis *r, int64_t most, struct error *err) must_check;

#endif
