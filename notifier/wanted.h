/* notifier/wanted.h - which handlers an event is for. */
#ifndef NOTIFIER_WANTED_H
#define NOTIFIER_WANTED_H

#include <stdbool.h>

#include "config/settings.h"
#include "notifier/event.h"

/* Of the events of its queue. What the service says of itself (crier.*) is for those that keep account of it, and for a
 * handler whose own events name it. */
bool wanted_by(const struct handler_settings *hs, const struct event *e);

/* Whether the handler's queue takes events of that type at all. */
bool wanted_in_queue(const struct settings *s, const struct handler_settings *hs, struct span type);

#endif
