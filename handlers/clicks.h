/*
 * handlers/clicks.h - of clicks of one visitor on one thing that follow each other within 30 s the last one counts
 * (`clicks = cop51`; COUNTER 5.1, double clicks), whatever the order they come in and whoever handles them.
 *
 * Every click is a document of its own, with `counted`. One that is known to be followed says false when it is first
 * written; one that is there already is read and written back in place, at its own version. A first write needs a
 * version above what is there, so a replay never brings `counted: true` back.
 *
 * An event is done only when the document before it is known to say false. As long as that one is not there, somebody
 * is still at work on it, and the event waits.
 */
#ifndef HANDLERS_CLICKS_H
#define HANDLERS_CLICKS_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/click_state.h"
#include "handlers/handler.h"
#include "handlers/touched.h"

#define CLICKS_FIELD "counted"

struct clicks;

/* An event as a click. It counts unless place.followed. */
struct click {
    struct click_place place;  /* no key: not to be told apart from others, and so always counted */
    enum bulk_outcome written; /* of its document in this batch, as clicks_wrote said; BULK_UNSENT before */
    enum outcome outcome;      /* by clicks_follow_up: NONE, DONE, WAIT or RETRY */
    const char *reason;        /* of WAIT and RETRY */
};

/* For a handler of type statistics. NULL: of all types of events every one counts. */
struct clicks *clicks_new(const struct handler *h);
void clicks_free(struct clicks *c); /* NULL is fine */

/* Begins a batch of at most so many events; what is made of it lies in the arena. */
void clicks_start(struct clicks *c, struct arena *arena, size_t events_most);

/* The event whose document goes to an index. NULL: one of a type whose events all count, with no word about it. */
struct click *clicks_add(struct clicks *c, const struct event *e, const char *index);

/* Finds out which of them are followed. */
bool clicks_look(struct clicks *c, struct error *err) must_check;

/* What became of the document. One that is dead follows nobody. */
bool clicks_wrote(struct clicks *c, struct click *k, enum bulk_outcome outcome, struct error *err) must_check;

/*
 * After all were written: those before them no longer count. What is changed, or may have been changed by somebody who
 * died over it, is added to touched. Fills in the outcome of each that was written; on failure some stay NONE.
 */
bool clicks_follow_up(struct clicks *c, struct touched *t, struct error *err) must_check;

#endif
