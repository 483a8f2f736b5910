/*
 * notifier/service_action.h - all that the service says of itself: its events are of type crier.ACTION, and every audit
 * takes them, whatever its queue is for.
 */
#ifndef NOTIFIER_SERVICE_ACTION_H
#define NOTIFIER_SERVICE_ACTION_H

#include <stdbool.h>

struct service_action {
    const char *name; /* past tense, without "crier." */
    const char *help; /* what was done, or is about to be */
};

extern const struct service_action service_actions[]; /* ended by one without a name */

bool service_action_is(const char *name);

#endif
