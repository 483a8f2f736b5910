/* tests/support/work.h - a handler of the scene at work, in this process. */
#ifndef TESTS_SUPPORT_WORK_H
#define TESTS_SUPPORT_WORK_H

#include "support/scene.h"

/* Passes of the named handler until nothing is due; fails the test where a peer is away. */
void work_off(struct scene *s, const char *handler);

/* A lane of the handler, its templates installed; yours to free. */
struct lane;
struct lane *work_open(struct scene *s, const char *handler);

#endif
