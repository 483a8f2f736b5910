/* notifier/access_log/backlog.h - no more events into Redis than its handlers take out of it. */
#ifndef NOTIFIER_ACCESS_LOG_BACKLOG_H
#define NOTIFIER_ACCESS_LOG_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"

/*
 * Waits until of each queue that the [url] sections' events go to, at most so many are left for the slowest of its
 * handlers; said once. A group whose handler is no longer configured is not waited for.
 */
bool backlog_wait(const struct settings *s, struct redis *r, int64_t most, struct error *err) must_check;

#endif
