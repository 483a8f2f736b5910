#include "notifier/personal.h"

#include "base/alloc.h"
#include "notifier/pattern.h"

static const char *const fields[] = {"ip_address", "user_agent", "user_id", "session_id"};

bool personal_in(const json_t *data)
{
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        if (json_object_get(data, fields[i]))
            return true;
    return false;
}

void personal_strip(json_t *data)
{
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        json_object_del(data, fields[i]);
}

bool personal_prepared(const struct settings *s, const char *type)
{
    for (size_t i = 0; i < s->event_count; i++)
        if (text_same(s->events[i].type, type))
            return s->events[i].prepare[0] != '\0';
    return false;
}

bool personal_counted(const struct settings *s, struct span type)
{
    for (size_t i = 0; i < s->handler_count; i++) {
        const struct handler_settings *h = &s->handlers[i];
        const struct queue_settings *q = h->kind->traits & KIND_COUNTS_PEOPLE ? settings_queue(s, h->queue) : NULL;

        if (q && patterns_match(q->events, type))
            return true;
    }
    return false;
}
