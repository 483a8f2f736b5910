/*
 * notifier/batch.h - events on their way through a handler, each with the outcome the handler gives it.
 */
#ifndef NOTIFIER_BATCH_H
#define NOTIFIER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "notifier/event.h"

struct stream_id {
    uint64_t ms, sequence;
};

/* As Redis writes it; the text into the arena. What Redis did not write is read as far as it goes. */
const char *stream_id_text(struct arena *arena, struct stream_id id);
struct stream_id stream_id_parse(const char *text);

enum outcome {
    OUTCOME_NONE,  /* not handled yet; where a handler leaves it, the same as RETRY */
    OUTCOME_DONE,  /* durable: acknowledge */
    OUTCOME_RETRY, /* again after a backoff; counts as a try */
    OUTCOME_WAIT,  /* the peer's trouble, not the event's: again later, costs no try */
    OUTCOME_DEAD,  /* never: to the dead letters */
};

/*
 * Of what becomes of several parts of one event: what time can help goes first, and the rest shows again then: wait,
 * retry, dead, done, none.
 */
bool outcome_outranks(enum outcome a, enum outcome b);

struct delivery {
    struct stream_id id;
    struct event event;
    int tries; /* before this one */
    enum outcome outcome;
    const char *reason; /* of RETRY, WAIT and DEAD, for people; in the arena */
    const char *reply;  /* the server's own words, "" for none; in the arena */
};

struct batch {
    struct arena *arena; /* what the pass makes; reset after it */
    struct delivery *items;
    size_t count;
};

/* Sets outcome, reason and reply (copied into the arena). */
void delivery_set(struct batch *b, struct delivery *d, enum outcome outcome, const char *reason, const char *reply);

#endif
