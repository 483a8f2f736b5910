#include "handlers/replay/replay_select.h"

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
