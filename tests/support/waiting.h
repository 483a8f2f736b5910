/* tests/support/waiting.h - events sent to `crier serve` on a stage, whose answer is waited for. */
#ifndef TESTS_SUPPORT_WAITING_H
#define TESTS_SUPPORT_WAITING_H

#include "support/change_stage.h"

/* POST /events?query; token NULL: without one. The answer; fails the test where there is none. */
json_t *wait_send(struct change_stage *st, const char *token, const char *body, const char *query, long *status);

/* A notification of the user: at that revision, with a name that says so (name-REVISION). */
json_t *wait_tell(struct change_stage *st, const char *token, const char *user, int revision, const char *query,
                  long *status);

/* How many documents a search finds with that name now: nobody refreshes for it. */
int64_t wait_found(struct change_stage *st, int revision);

#endif
