/* handlers/replay/replay_position.h - how far a replay came, kept in Redis until it is through, at most 30 days. */
#ifndef HANDLERS_REPLAY_REPLAY_POSITION_H
#define HANDLERS_REPLAY_REPLAY_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"

struct replay_position {
    const char *path; /* of the file, or the unique id of an event; "": there is none. In the arena */
    int64_t line;     /* the last that was dealt with, or the event's time in milliseconds */
};

bool replay_position_read(struct redis *r, const char *id, struct arena *arena, struct replay_position *out,
                          struct error *err) must_check;
bool replay_position_note(struct redis *r, const char *id, const char *path, int64_t line,
                          struct error *err) must_check;
bool replay_position_forget(struct redis *r, const char *id, struct error *err) must_check;

#endif
