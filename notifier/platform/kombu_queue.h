/*
 * notifier/platform/kombu_queue.h - a queue of kombu's Redis transport, read the way that loses nothing: looked at
 * first, taken off only when what it held is safe elsewhere.
 *
 * A queue is up to four lists, one a priority; messages are pushed at the left and taken at the right. What kombu's own
 * consumers hold (`unacked`, `unacked_index`) is theirs and never touched; what they give back comes to the lists
 * again.
 */
#ifndef NOTIFIER_PLATFORM_KOMBU_QUEUE_H
#define NOTIFIER_PLATFORM_KOMBU_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"

enum { KOMBU_PRIORITIES = 4, KOMBU_SHA_BYTES = 41 };

/* The list of the priority-th step, as kombu names it; in the arena. */
const char *kombu_list(const char *queue, int priority, struct arena *arena);

/* Says to those who publish that the exchange leads to the queue; without it what they publish goes nowhere. */
bool kombu_bind(struct redis *r, const char *exchange, const char *queue, struct error *err) must_check;

struct kombu_waiting {
    const char *bytes;         /* NULL: longer than asked for */
    size_t length;             /* also of one too long */
    char sha[KOMBU_SHA_BYTES]; /* by which it is taken off */
    size_t place;              /* how many older ones there were */
};

struct kombu_look {
    size_t passed; /* how many of the oldest are left out */
    size_t most;
    int64_t bytes_most; /* none longer than that */
};

/* The oldest messages, left where they are; all in the arena. *more: there are others behind them. */
bool kombu_peek(struct redis *r, const char *list, const struct kombu_look *look, struct arena *arena,
                struct kombu_waiting **out, size_t *count, bool *more, struct error *err) must_check;

/* Takes off those of the messages, one at least, that are still there, in one step. Others that came or went meanwhile
 * stay. */
bool kombu_remove(struct redis *r, const char *list, const struct kombu_waiting *const *messages, size_t count,
                  struct error *err) must_check;

#endif
