/*
 * scheduler/held.h - events that a lane holds for later, by when they are due; only their ids, not the events.
 */
#ifndef SCHEDULER_HELD_H
#define SCHEDULER_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notifier/batch.h"

enum { HELD_MOST = 50000 }; /* beyond that a lane takes no new events until some are done */

struct held_entry {
    struct stream_id id;
    int64_t due_ms; /* monotonic */
    int tries, waits;
};

/* A binary heap, the earliest first. Zeroed is empty. */
struct held {
    struct held_entry *entries;
    size_t count, room;
};

void held_release(struct held *h);
void held_add(struct held *h, struct held_entry entry);
bool held_due(const struct held *h, int64_t now_ms);
struct held_entry held_take(struct held *h); /* the earliest; there must be one */

/* By how often they were tried; and how many from the first on were so as often as it. */
void held_sort(struct held_entry *entries, size_t count);
size_t held_alike(const struct held_entry *entries, size_t count);

/*
 * How long until the next try: evenly spread below base * 2^n, at most most ("full jitter": Brooker, "Exponential
 * Backoff And Jitter", AWS Architecture Blog, 2015).
 */
int64_t backoff_ms(int n, int64_t base, int64_t most);

#endif
