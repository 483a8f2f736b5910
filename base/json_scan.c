#include "base/json_scan.h"

#include <string.h>

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* at: behind the opening quote. The closing quote; NULL: there is none. */
static const char *string_end(const char *at, const char *end)
{
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at)), *escape;

        if (!quote)
            return NULL;
        escape = memchr(at, '\\', (size_t)(quote - at));
        if (!escape)
            return quote;
        at = escape + 2;
    }
    return NULL;
}

const char *json_scan_string(const char *at, const char *end)
{
    const char *quote = string_end(at + 1, end);

    return quote ? quote + 1 : end;
}

/* at: the opening bracket. Behind the closing one; NULL: there is none. */
static const char *nested_end(const char *at, const char *end)
{
    int64_t depth = 0;

    for (; at < end; at++) {
        if (*at == '"') {
            at = string_end(at + 1, end);
            if (!at)
                return NULL;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if ((*at == '}' || *at == ']') && --depth == 0) {
            return at + 1;
        }
    }
    return NULL;
}

static bool ends_scalar(char c)
{
    return c == ',' || c == '}' || c == ']' || c == ':' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Where the value that begins at `at` ends; NULL: nowhere. */
static const char *value_end(const char *at, const char *end)
{
    const char *start = at;

    if (at == end)
        return NULL;
    if (*at == '"') {
        at = string_end(at + 1, end);
        return at ? at + 1 : NULL;
    }
    if (*at == '{' || *at == '[')
        return nested_end(at, end);
    while (at < end && !ends_scalar(*at))
        at++;
    return at > start ? at : NULL;
}

static bool begin(struct json_scan *s, struct span text, char opening, char closing)
{
    const char *end = text.text + text.length;

    *s = (struct json_scan){.at = skip_space(text.text, end), .end = end, .closing = closing, .first = true};
    if (s->at == end || *s->at != opening) {
        s->broken = true;
        return false;
    }
    s->at++;
    return true;
}

bool json_scan_object(struct json_scan *s, struct span text)
{
    return begin(s, text, '{', '}');
}

bool json_scan_array(struct json_scan *s, struct span text)
{
    return begin(s, text, '[', ']');
}

static bool broken(struct json_scan *s)
{
    s->broken = true;
    return false;
}

static bool take_key(struct json_scan *s)
{
    const char *quote;

    if (s->at == s->end || *s->at != '"')
        return broken(s);
    quote = string_end(s->at + 1, s->end);
    if (!quote)
        return broken(s);
    s->key = (struct span){s->at + 1, (size_t)(quote - s->at - 1)};
    s->at = skip_space(quote + 1, s->end);
    if (s->at == s->end || *s->at != ':')
        return broken(s);
    s->at = skip_space(s->at + 1, s->end);
    return true;
}

bool json_scan_next(struct json_scan *s)
{
    const char *end;

    if (s->broken)
        return false;
    s->at = skip_space(s->at, s->end);
    if (s->at == s->end)
        return broken(s);
    if (*s->at == s->closing)
        return false;
    if (!s->first) {
        if (*s->at != ',')
            return broken(s);
        s->at = skip_space(s->at + 1, s->end);
    }
    s->first = false;
    if (s->closing == '}' && !take_key(s))
        return false;
    end = value_end(s->at, s->end);
    if (!end)
        return broken(s);
    s->value = (struct span){s->at, (size_t)(end - s->at)};
    s->at = end;
    return true;
}

bool json_scan_member(struct span object, const char *name, struct span *value)
{
    struct json_scan s;
    size_t found = 0;

    if (!json_scan_object(&s, object))
        return false;
    while (json_scan_next(&s))
        if (span_is(s.key, name)) {
            *value = s.value;
            found++;
        }
    return !s.broken && found == 1;
}

bool json_scan_int(struct span value, int64_t *number)
{
    return value.length > 0 && text_int(value.text, value.length, number);
}
