/*
 * notifier/dead.h - dead letters: events a handler could not do, with everything needed to understand and retry them.
 */
#ifndef NOTIFIER_DEAD_H
#define NOTIFIER_DEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "notifier/batch.h"
#include "notifier/stream.h"

/* Moves the deliveries marked OUTCOME_DEAD in one step per event: into the dead letters and acknowledged. */
bool dead_bury(struct redis *r, const char *queue, enum stream_place place, const char *group, const struct batch *b,
               struct error *err) must_check;

/* A letter about an event that is in the handler's own keeping by now; reply may be NULL. */
bool dead_add(struct redis *r, const char *queue, const char *handler, const struct event *e, int tries,
              const char *reason, const char *reply, struct error *err) must_check;

struct dead_letter {
    const char *id; /* of the letter, as `crier dead show` takes it */
    struct event event;
    const char *handler, *reason, *reply, *died; /* died: RFC 3339 */
    int tries;
};

/* From the oldest, after the letter named (NULL: from the first); *count ≤ most. All in the arena. */
bool dead_list(struct redis *r, const char *queue, const char *after, size_t most, struct arena *arena,
               struct dead_letter **out, size_t *count, struct error *err) must_check;
bool dead_find(struct redis *r, const char *queue, const char *id, struct arena *arena, struct dead_letter **out,
               struct error *err) must_check; /* *out NULL: no such letter */

/* Back into its queue for its handler alone, and out of the dead letters, in one step. False in *was: it was not there.
 */
bool dead_retry(struct redis *r, const char *queue, const struct dead_letter *letter, bool *was,
                struct error *err) must_check;
bool dead_drop(struct redis *r, const char *queue, const char *id, bool *was, struct error *err) must_check;

#endif
