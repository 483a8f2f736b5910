#include "base/json_cut.h"

#include <string.h>

const char *json_skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* Behind the string whose opening quote is at text. */
static const char *string_end(const char *text, const char *end)
{
    for (text++; text < end && *text != '"'; text++)
        if (*text == '\\')
            text++;
    return text + 1;
}

/* Where the JSON value at text ends: at the comma or bracket of what it is in; end where that never comes. */
static const char *value_end(const char *text, const char *end)
{
    int depth = 0;

    while (text < end) {
        char c = *text;

        if (c == '"') {
            text = string_end(text, end);
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}'))
            return text;
        if (c == '[' || c == '{')
            depth++;
        else if (c == ']' || c == '}')
            depth--;
        text++;
    }
    return end;
}

bool json_cut_start(struct json_cut *c, struct span text, char open)
{
    const char *end = text.text + text.length, *at = json_skip_blanks(text.text, end);

    *c = (struct json_cut){at, end, open == '[' ? ']' : '}', false};
    if (at == end || *at != open)
        return false;
    c->at++;
    return true;
}

enum json_cut_step json_cut_next(struct json_cut *c, struct span *one)
{
    const char *from = json_skip_blanks(c->at, c->end), *last;

    if (from < c->end && *from == c->close && !c->comma) {
        c->at = from + 1;
        return JSON_CUT_END;
    }
    last = value_end(from, c->end);
    c->at = last;
    if (last == c->end || last == from || (*last != ',' && *last != c->close))
        return JSON_CUT_WRONG;
    *one = (struct span){from, (size_t)(last - from)};
    c->comma = *last == ',';
    c->at = c->comma ? last + 1 : last;
    return JSON_CUT_ONE;
}

bool json_cut_is_all(struct json_cut *c)
{
    c->at = json_skip_blanks(c->at, c->end);
    return c->at == c->end;
}

bool json_cut_value(struct span member, const char *name, struct span *value)
{
    const char *at = member.text, *end = at + member.length;
    size_t length = strlen(name);

    if (member.length < length + 2 || *at != '"' || memcmp(at + 1, name, length) != 0 || at[length + 1] != '"')
        return false;
    at = json_skip_blanks(at + length + 2, end);
    if (at == end || *at != ':')
        return false;
    at = json_skip_blanks(at + 1, end);
    *value = (struct span){at, (size_t)(end - at)};
    return true;
}
