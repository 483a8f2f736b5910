/*
 * notifier/refusal.h - a dead letter for what came in and never became an event.
 *
 * What it was is told by length and a keyed digest alone: it may hold addresses and names, and those reach no Redis.
 * Such a letter says what is wrong with a sender; there is nothing in it to try again.
 */
#ifndef NOTIFIER_REFUSAL_H
#define NOTIFIER_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"
#include "notifier/dead.h"

struct refusal {
    const char *door;                   /* who refused it; stands where other letters name a handler */
    const char *source, *type;          /* of the event it should have been */
    const struct queue_settings *queue; /* NULL: the first one that wants the type */
    const char *reason,
        *digest; /* digest: under a key, the same for the same bytes; one letter each within the window */
    size_t length;
};

/* Into the dead letters of the queue; where none wants the type there is nothing to note. */
bool refusal_bury(const struct settings *s, struct redis *r, const struct refusal *refusal,
                  struct error *err) must_check;

/* Whether a dead letter is such a note. */
bool refusal_is(const struct dead_letter *letter);

#endif
