/* handlers/event_types.h - which [event] sections are about what a handler gets. */
#ifndef HANDLERS_EVENT_TYPES_H
#define HANDLERS_EVENT_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#include "config/settings.h"

/* The next such section from *at on; NULL: there is none any more. *at begins with 0. */
const struct event_settings *event_type_next(const struct settings *s, const struct handler_settings *hs, size_t *at);

/* Whether the door adds the class of the user agent (agent_class) to any of them. */
bool event_types_keep_class(const struct settings *s, const struct handler_settings *hs);

#endif
