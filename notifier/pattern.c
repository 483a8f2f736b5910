#include "notifier/pattern.h"

#include <string.h>

enum { PARTS_MOST = 8 };

/* The part that starts at text: up to the next dot or the end. */
static struct span part_at(const char *text, const char *end)
{
    const char *dot = memchr(text, '.', (size_t)(end - text));

    return (struct span){text, (size_t)((dot ? dot : end) - text)};
}

static bool part_ok(struct span part)
{
    if (span_is(part, "*") || span_is(part, "**"))
        return true;
    for (size_t i = 0; i < part.length; i++) {
        char c = part.text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return part.length > 0;
}

static bool pattern_check(const char *pattern, size_t length, struct error *err)
{
    const char *at = pattern, *end = pattern + length;
    int parts = 0;

    for (;;) {
        struct span part = part_at(at, end);

        if (!part_ok(part))
            return error_set(err, ERROR_CONFIG,
                             "\"%.*s\" is no pattern: parts of letters, digits, '_' and '-', separated by dots; \"*\" "
                             "stands for one part, \"**\" for any number, only as a whole part",
                             (int)length, pattern);
        if (!span_is(part, "**") && ++parts > PARTS_MOST)
            return error_set(err, ERROR_CONFIG, "\"%.*s\" has more than %d parts, as no type has", (int)length, pattern,
                             PARTS_MOST);
        at = part.text + part.length;
        if (at == end)
            return true;
        at++;
    }
}

bool patterns_check(const char *list, struct error *err)
{
    const char *word;
    size_t length, count = 0;

    for (; text_word(&list, &word, &length); count++)
        if (!pattern_check(word, length, err))
            return false;
    return count > 0 || error_set(err, ERROR_CONFIG, "names no event type");
}

/* Moves behind the part and its dot; behind the last part to NULL. */
static const char *after(struct span part, const char *end)
{
    const char *at = part.text + part.length;

    return at == end ? NULL : at + 1;
}

/*
 * As with file globs, only the last "**" has to be tried with more parts: what stood between two of them was matched
 * at its earliest place, which leaves the most to the rest.
 */
static bool pattern_matches(struct span pattern, struct span type)
{
    const char *pattern_end = pattern.text + pattern.length, *type_end = type.text + type.length;
    const char *p = pattern.text, *t = type.text;
    const char *behind_stars = NULL, *retry = NULL;
    bool stars = false;

    while (t) {
        struct span have = part_at(t, type_end);
        struct span want = p ? part_at(p, pattern_end) : SPAN_NONE;

        if (p && span_is(want, "**")) {
            stars = true;
            behind_stars = p = after(want, pattern_end);
            retry = t;
        } else if (p && (span_is(want, "*") ||
                         (want.length == have.length && memcmp(want.text, have.text, have.length) == 0))) {
            p = after(want, pattern_end);
            t = after(have, type_end);
        } else if (stars) {
            p = behind_stars;
            t = retry = after(part_at(retry, type_end), type_end);
        } else {
            return false;
        }
    }
    while (p && span_is(part_at(p, pattern_end), "**"))
        p = after(part_at(p, pattern_end), pattern_end);
    return !p;
}

bool patterns_match(const char *list, struct span type)
{
    const char *word;
    size_t length;

    while (text_word(&list, &word, &length))
        if (pattern_matches((struct span){word, length}, type))
            return true;
    return false;
}

const struct queue_settings *patterns_queue(const struct settings *s, const char *type)
{
    for (size_t i = 0; i < s->queue_count; i++)
        if (patterns_match(s->queues[i].events, span_of(type)))
            return &s->queues[i];
    return NULL;
}
