/* tests/support/outside_stage.h - what the tests of the platform's own handlers share: events, and a lane of [handler
 * mine] on queue q. */
#ifndef TESTS_SUPPORT_OUTSIDE_STAGE_H
#define TESTS_SUPPORT_OUTSIDE_STAGE_H

#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/scene.h"

enum { OUTSIDE_EVENTS_MOST = 400, OUTSIDE_PATIENCE_MS = 60000 };

struct outside {
    struct scene *scene;
    struct lane *lane;    /* NULL: none is at work in this process */
    struct server *serve; /* NULL: no crier was started */
    int away;             /* passes that failed, */
    char why[600];        /* and the last one's reason */
};

void outside_open(struct outside *o, const char *ini);
void outside_close_lane(struct outside *o); /* what it has is handed back */
void outside_close(struct outside *o);

/* Events of the ids "e7" and so on, their number also as the revision. */
void outside_append(struct outside *o, int from, int count);

/* Passes, also those that fail, until so many events have come to an end; dead -1: however many of the others. */
void outside_work(struct outside *o, int done, int dead);

/* All dead letters; fails the test where there is another number of them. */
struct dead_letter *outside_letters(struct outside *o, size_t expected);

/* Killed, at once known to be dead, and started anew. */
void outside_kill(struct outside *o);

#endif
