/* scheduler/backlog.h - what waits for a handler. */
#ifndef SCHEDULER_BACKLOG_H
#define SCHEDULER_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"

struct backlog {
    int64_t waiting;        /* events; for one that runs by the clock: keys that were marked */
    int64_t pending;        /* events delivered and not acknowledged */
    int64_t oldest_seconds; /* age of the oldest event not acknowledged; 0: none */
    int64_t consumers;
    int64_t later; /* subjects that a handler of events left for the clock */
};

bool backlog_read(const struct settings *s, const struct handler_settings *hs, struct redis *r, struct arena *arena,
                  struct backlog *out, struct error *err) must_check;

#endif
