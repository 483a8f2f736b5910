/*
 * scheduler/lane.h - one handler at work on its queue: the worker's pass.
 *
 * A pass takes what is due - events left behind by a process that is gone, events held for another try, else new ones -
 * hands them to the handler and acts on the outcome of each. A lane is one consumer of the handler's group, with its
 * own links to Redis and OpenSearch; one thread at a time.
 */
#ifndef SCHEDULER_LANE_H
#define SCHEDULER_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"

struct lane;

/* process: as announced to Redis; number: 0 for the lane that also looks after what others left behind. */
struct lane *lane_new(const struct settings *s, const struct handler_settings *hs, const char *process, int number,
                      struct error *err) must_check;
void lane_free(struct lane *l); /* NULL is fine */

/*
 * A lane for the head of the queue (stream.h), beside one for its tail that is there until after it. Of a kind that has
 * one lane in a process both use one handler, by turns.
 */
struct lane *lane_new_head(struct lane *tail, struct error *err) must_check;

/* What the handler needs to be there before its first event. */
bool lane_install(struct lane *l, struct error *err) must_check;

enum { LANE_NOTHING_NEW = -1 };

/*
 * One batch, waiting up to wait_ms for a first new event (LANE_NOTHING_NEW: only what is held or was left behind);
 * *taken says how many events it had, 0 that nothing is due. False: a peer is away (ERROR_AGAIN); the batch stays in
 * hand and the next pass goes on with it.
 */
bool lane_pass(struct lane *l, int wait_ms, size_t *taken, struct error *err) must_check;

/* Whether new events wait for the handler, waiting up to wait_ms for the first. False: Redis is away. */
bool lane_waits(struct lane *l, int wait_ms, bool *some, struct error *err) must_check;

/* Milliseconds until an event held for another try is due; -1: none is held. */
int64_t lane_next_due_ms(const struct lane *l);

/* Whether it holds so much for later that it takes nothing new: a pass then does not wait either. */
bool lane_full(const struct lane *l);

/* Between passes: says that what the lane has is still its own, and how long until that is to be said again. */
int64_t lane_keep(struct lane *l);

struct lane_tally {
    int64_t done, dead; /* of the events meant for the handler */
    int64_t held;       /* for a later try, by now */
};
struct lane_tally lane_tally(const struct lane *l);

/* Gives back what is not done, for whoever comes next. */
void lane_leave(struct lane *l);

#endif
