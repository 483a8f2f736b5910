/*
 * handlers/click_state.h - the clicks of late, by visitor and thing, in Redis: which of two came first is known to all
 * lanes and processes, in whatever order they meet them.
 *
 * One sorted set a click (visitor and thing): a member is a document, its score the time in microseconds. What was not
 * added to for `lateness` and an hour goes: the hour is for an outage between two clicks.
 */
#ifndef HANDLERS_CLICK_STATE_H
#define HANDLERS_CLICK_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "base/text.h"

/* COUNTER 5.1: a click counts unless another follows within so long. */
#define CLICK_SPAN_US (INT64_C(30) * 1000 * 1000)

struct click_place {
    struct span key;    /* of visitor and thing */
    struct span member; /* unique id, blank, index: of one instant, the greater is the later */
    int64_t time_us, lateness_ms;

    bool followed;      /* by another within the span */
    struct span before; /* member of the one just before it within the span; length 0: none */
    int64_t before_us;
};

/*
 * Takes note of all, then fills in followed and before of each. Safe to repeat. name: of the handler whose documents
 * they are; what is filled in lies in the arena.
 */
bool click_state_look(struct redis *r, const char *queue, const char *name, struct click_place *const *places,
                      size_t count, struct arena *arena, struct error *err) must_check;

/* A click that never becomes a document. */
bool click_state_forget(struct redis *r, const char *queue, const char *name, const struct click_place *place,
                        struct error *err) must_check;

#endif
