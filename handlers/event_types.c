#include "handlers/event_types.h"

#include "notifier/pattern.h"

const struct event_settings *event_type_next(const struct settings *s, const struct handler_settings *hs, size_t *at)
{
    const struct queue_settings *queue = settings_queue(s, hs->queue);

    while (queue && *at < s->event_count) {
        const struct event_settings *es = &s->events[(*at)++];
        struct span type = span_of(es->type);

        if (patterns_match(queue->events, type) && (!*hs->events || patterns_match(hs->events, type)))
            return es;
    }
    return NULL;
}

bool event_types_keep_class(const struct settings *s, const struct handler_settings *hs)
{
    const struct event_settings *es;
    size_t at = 0;

    while ((es = event_type_next(s, hs, &at)))
        if (es->agent_class)
            return true;
    return false;
}
