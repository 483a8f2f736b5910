/* scheduler/handler_load.h - what waits for a handler. */
#ifndef SCHEDULER_HANDLER_LOAD_H
#define SCHEDULER_HANDLER_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"

struct handler_load {
    int64_t waiting;        /* events; for one that runs by the clock: keys that were marked */
    int64_t pending;        /* events delivered and not acknowledged */
    int64_t oldest_seconds; /* age of the oldest event not acknowledged; 0: none */
    int64_t consumers;
    int64_t later; /* subjects that a handler of events left for the clock */
};

bool handler_load_read(const struct settings *s, const struct handler_settings *hs, struct redis *r,
                       struct arena *arena, struct handler_load *out, struct error *err) must_check;

#endif
