/* tests/support/work.h - a handler of the scene at work, in this process. */
#ifndef TESTS_SUPPORT_WORK_H
#define TESTS_SUPPORT_WORK_H

#include "support/scene.h"

/* Passes of the named handler until nothing is due; fails the test where a peer is away. */
void work_off(struct scene *s, const char *handler);

/* A lane of the handler, its templates installed; yours to free. */
struct lane;
struct lane *work_open(struct scene *s, const char *handler);

/* Whether the one consumer group of a queue took and acknowledged all that is in it. */
bool work_is_done(struct scene *s, const char *queue);

/* What the process holds is its own, however long a busy machine takes; else others take it for gone. */
void work_is_alive(struct scene *s, const char *process);

/*
 * An event that is under way in five deaths of a service in a row is rightly taken for their cause, and set aside.
 * Where the machine is so busy that nothing is done between two kills, that is any event: whether the handler has one
 * that was begun three times and is not done; and a wait until it has none, for before the next kill.
 */
bool work_at_risk(struct scene *s, const char *queue, const char *handler);
void work_survives(struct scene *s, const char *queue, const char *handler);

#endif
