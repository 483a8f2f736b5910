#include "handlers/replay/replay_select.h"

#include <stdio.h>
#include <string.h>

#include "notifier/pattern.h"

/* As a history is asked: a kind may stand with its slash alone. */
static bool is_of_subject(const struct event *e, const char *subject)
{
    size_t length = strlen(subject);

    if (length >= 2 && strcmp(subject + length - 2, "/*") == 0)
        length--;
    if (length > 0 && subject[length - 1] == '/')
        return e->subject.length > length && memcmp(e->subject.text, subject, length) == 0;
    return span_is(e->subject, subject);
}

bool replay_selects(const struct replay_options *o, const struct event *e)
{
    return e->time_us >= o->range.from_us && e->time_us < o->range.to_us &&
           (!o->types || patterns_match(o->types, e->type)) && (!o->subject || is_of_subject(e, o->subject));
}

static void add_history(struct digest *d, const struct replay_options *o)
{
    const char *const parts[] = {o->history->handler, o->filter.id, o->filter.actor, o->filter.operation};

    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        digest_part(d, parts[i] ? parts[i] : "", parts[i] ? strlen(parts[i]) : 0);
}

void replay_choice_id(const struct replay_options *o, char out[ID_TEXT_BYTES])
{
    struct digest *d = digest_new();
    char range[60];

    digest_start(d);
    for (size_t i = 0; i < o->name_count; i++)
        digest_part(d, o->names[i], strlen(o->names[i]));
    digest_part(d, "", 0);
    if (o->history)
        add_history(d, o);
    for (size_t i = 0; i < o->handler_count; i++)
        digest_part(d, o->handlers[i]->name, strlen(o->handlers[i]->name));
    digest_part(
        d, range,
        (size_t)snprintf(range, sizeof range, "%lld %lld", (long long)o->range.from_us, (long long)o->range.to_us));
    digest_part(d, o->types ? o->types : "", o->types ? strlen(o->types) : 0);
    digest_part(d, o->subject ? o->subject : "", o->subject ? strlen(o->subject) : 0);
    digest_end_id(d, out);
    digest_free(d);
}
