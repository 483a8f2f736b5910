#include "notifier/wanted.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "notifier/pattern.h"
#include "notifier/service_event.h"

enum { PATTERN_BYTES = 256 };

/* Only a pattern that begins with crier: one for everything means everything of the platform. */
static bool asks_for_service(const char *events, struct span type)
{
    const char *word;
    size_t length;

    while (text_word(&events, &word, &length)) {
        char pattern[PATTERN_BYTES];

        if (length >= sizeof pattern || strncmp(word, "crier.", strlen("crier.")) != 0)
            continue;
        snprintf(pattern, sizeof pattern, "%.*s", (int)length, word);
        if (patterns_match(pattern, type))
            return true;
    }
    return false;
}

bool wanted_by(const struct handler_settings *hs, const struct event *e)
{
    if (e->only.length && !span_is(e->only, hs->name))
        return false; /* a replayed event, for another handler */
    if (service_event_is(e->type))
        return (hs->kind->traits & KIND_HEARS_SERVICE) || (hs->kind->traits & KIND_TAKES_BACK && e->only.length > 0) ||
               asks_for_service(hs->events, e->type);
    return !*hs->events || patterns_match(hs->events, e->type);
}

bool wanted_in_queue(const struct settings *s, const struct handler_settings *hs, struct span type)
{
    const struct queue_settings *queue;

    if (hs->kind->traits & KIND_CLOCK)
        return false;
    queue = settings_queue(s, hs->queue);
    return queue &&
           (patterns_match(queue->events, type) || (service_event_is(type) && hs->kind->traits & KIND_HEARS_SERVICE));
}
