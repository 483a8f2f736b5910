#include "base/json_compact.h"
#include "base/json_scan.h"

#include <jansson.h>
#include <string.h>

/* What may come next. */
enum want {
    WANT_VALUE,
    WANT_VALUE_OR_END, /* of an array just opened */
    WANT_NAME,
    WANT_NAME_OR_END, /* of an object just opened */
    WANT_COLON,
    WANT_MORE, /* a comma or an end */
    WANT_NOTHING,
    WANT_REFUSED,
};

struct packer {
    const char *start, *at, *end;
    char *out;
    size_t depth, depth_most;
    const char *wrong; /* NULL: nothing */
    char open[JSON_COMPACT_DEPTH_MOST];
};

static bool fail(struct packer *p, const char *wrong)
{
    p->wrong = wrong;
    return false;
}

static enum want refuse(struct packer *p, const char *wrong)
{
    p->wrong = wrong;
    return WANT_REFUSED;
}

static char peek(const struct packer *p)
{
    return p->at < p->end ? *p->at : '\0';
}

static void copy_to(struct packer *p, const char *to)
{
    size_t length = (size_t)(to - p->at);

    memcpy(p->out, p->at, length);
    p->out += length;
    p->at = to;
}

static void skip_space(struct packer *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
}

/* ------------------------------------------------------------------------------------------ strings, numbers, words */

/* The code unit of "\\uXXXX" at its backslash; -1: it is none. */
static int code_unit(const char *at, const char *end)
{
    int unit = 0;

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        const char *digits = "0123456789abcdefABCDEF", *found = at[i] ? strchr(digits, at[i]) : NULL;

        if (!found)
            return -1;
        unit = unit * 16 + (int)(found - digits < 16 ? found - digits : found - digits - 6);
    }
    return unit;
}

/* Behind an escape; NULL: it is none. */
static const char *after_escape(const char *at, const char *end)
{
    int unit, second;

    if (end - at >= 2 && at[1] && strchr("\"\\/bfnrt", at[1]))
        return at + 2;
    unit = code_unit(at, end);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return NULL;
    if (unit < 0xD800 || unit > 0xDBFF)
        return at + 6;
    second = code_unit(at + 6, end);
    return second >= 0xDC00 && second <= 0xDFFF ? at + 12 : NULL;
}

static bool pack_string(struct packer *p)
{
    const char *at = p->at + 1;
    unsigned char seen = 0;

    while (at < p->end && *at != '"') {
        seen |= (unsigned char)*at;
        if (*at == '\\') {
            const char *after = after_escape(at, p->end);

            p->at = after ? p->at : at;
            if (!after)
                return fail(p, "no such escape");
            at = after;
        } else if ((unsigned char)*at < 0x20) {
            p->at = at;
            return fail(p, "a control character in a string");
        } else {
            at++;
        }
    }
    if (at >= p->end)
        return fail(p, "a string without end");
    if (seen >= 0x80 && text_utf8_valid(p->at, (size_t)(at - p->at)) != (size_t)(at - p->at))
        return fail(p, "a string that is not UTF-8");
    copy_to(p, at + 1);
    return true;
}

static const char *after_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* RFC 8259 §6 */
static bool pack_number(struct packer *p)
{
    const char *at = p->at + (*p->at == '-'), *digits = at;
    bool good;

    at = after_digits(at, p->end);
    good = at > digits && (*digits != '0' || at == digits + 1);
    if (good && at < p->end && *at == '.') {
        digits = at + 1;
        at = after_digits(digits, p->end);
        good = at > digits;
    }
    if (good && at < p->end && (*at == 'e' || *at == 'E')) {
        digits = at + 1;
        digits += digits < p->end && (*digits == '+' || *digits == '-');
        at = after_digits(digits, p->end);
        good = at > digits;
    }
    if (!good)
        return fail(p, "a number that is none");
    copy_to(p, at);
    return true;
}

static bool pack_word(struct packer *p, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0)
        return fail(p, "a value is wanted");
    copy_to(p, p->at + length);
    return true;
}

/* -------------------------------------------------------------------------------------------------------- structure */

static enum want open_bracket(struct packer *p, enum want next)
{
    if (p->depth == p->depth_most)
        return refuse(p, "nested too deeply");
    p->open[p->depth++] = *p->at;
    copy_to(p, p->at + 1);
    return next;
}

static enum want close_bracket(struct packer *p)
{
    p->depth--;
    copy_to(p, p->at + 1);
    return p->depth ? WANT_MORE : WANT_NOTHING;
}

static enum want pack_value(struct packer *p)
{
    bool good;

    switch (peek(p)) {
    case '{':
        return open_bracket(p, WANT_NAME_OR_END);
    case '[':
        return open_bracket(p, WANT_VALUE_OR_END);
    case '"':
        good = pack_string(p);
        break;
    case 't':
        good = pack_word(p, "true");
        break;
    case 'f':
        good = pack_word(p, "false");
        break;
    case 'n':
        good = pack_word(p, "null");
        break;
    default:
        if (p->at >= p->end || !strchr("-0123456789", *p->at) || !*p->at)
            return refuse(p, "a value is wanted");
        good = pack_number(p);
    }
    return !good ? WANT_REFUSED : p->depth ? WANT_MORE : WANT_NOTHING;
}

static enum want pack_more(struct packer *p)
{
    bool in_object = p->open[p->depth - 1] == '{';

    if (peek(p) == (in_object ? '}' : ']'))
        return close_bracket(p);
    if (peek(p) != ',')
        return refuse(p, in_object ? "\",\" or \"}\" is wanted" : "\",\" or \"]\" is wanted");
    copy_to(p, p->at + 1);
    return in_object ? WANT_NAME : WANT_VALUE;
}

static enum want step(struct packer *p, enum want want)
{
    skip_space(p);
    switch (want) {
    case WANT_VALUE_OR_END:
        return peek(p) == ']' ? close_bracket(p) : pack_value(p);
    case WANT_NAME_OR_END:
        if (peek(p) == '}')
            return close_bracket(p);
        /* fall through */
    case WANT_NAME:
        if (peek(p) != '"')
            return refuse(p, "a name is wanted");
        return pack_string(p) ? WANT_COLON : WANT_REFUSED;
    case WANT_COLON:
        if (peek(p) != ':')
            return refuse(p, "\":\" is wanted");
        copy_to(p, p->at + 1);
        return WANT_VALUE;
    case WANT_MORE:
        return pack_more(p);
    default:
        return pack_value(p);
    }
}

bool json_compact(const char *bytes, size_t length, size_t depth, struct buf *out, struct error *err)
{
    struct packer p = {.start = bytes, .at = bytes, .end = bytes + length};
    enum want want = WANT_VALUE;

    p.depth_most = depth < JSON_COMPACT_DEPTH_MOST ? depth : JSON_COMPACT_DEPTH_MOST;
    p.out = buf_grow(out, length);
    while (want != WANT_NOTHING && want != WANT_REFUSED)
        want = step(&p, want);
    if (want == WANT_NOTHING) {
        skip_space(&p);
        want = p.at < p.end ? refuse(&p, "more follows the value") : want;
    }
    if (want == WANT_REFUSED)
        return error_set(err, ERROR_INPUT, "%s at byte %zu", p.wrong, (size_t)(p.at - p.start) + 1);
    buf_grown(out, (size_t)(p.out - out->data) - out->length);
    return true;
}

/* ---------------------------------------------------------------------------------------------------- finding one's
 * way */

/* What a byte outside strings means to the one who looks for a value's end; 0: nothing. */
enum { OPENS = 1, CLOSES, DIVIDES, QUOTES };
static const unsigned char meaning[256] = {
    ['{'] = OPENS, ['['] = OPENS, ['}'] = CLOSES, [']'] = CLOSES, [','] = DIVIDES, ['"'] = QUOTES};

static const char *after_value(const char *at, const char *end)
{
    size_t depth = 0;

    while (at < end) {
        unsigned char what = meaning[(unsigned char)*at];

        if (what == QUOTES) {
            at = json_scan_string(at, end);
            continue;
        }
        if (depth == 0 && (what == CLOSES || what == DIVIDES))
            break;
        depth += what == OPENS;
        depth -= what == CLOSES;
        at++;
    }
    return at;
}

/* Whether a path begins with that name; *rest is what follows it, NULL where nothing does. */
static bool path_starts(const char *path, struct span name, const char **rest)
{
    if (strncmp(path, name.text, name.length) != 0)
        return false;
    *rest = path[name.length] == '.' ? path + name.length + 1 : NULL;
    return *rest || !path[name.length];
}

bool json_compact_at(struct span value, const char *path, struct span *found)
{
    const char *end = value.text + value.length, *at = value.text + 1;

    *found = value;
    if (!*path)
        return true;
    if (!json_compact_is_object(value))
        return false;
    while (at < end && *at == '"') {
        const char *colon = json_scan_string(at, end), *rest;
        struct span name = {at + 1, (size_t)(colon - at) - 2};
        struct span inner = {colon + 1, 0};

        at = after_value(inner.text, end);
        inner.length = (size_t)(at - inner.text);
        at += at < end && *at == ',';
        if (!path_starts(path, name, &rest))
            continue;
        *found = inner;
        if (!rest || json_compact_at(inner, rest, found))
            return true;
    }
    return false;
}

bool json_compact_next(struct span array, size_t *at, struct span *element)
{
    const char *end = array.text + array.length, *start;

    if (array.length == 0 || array.text[0] != '[')
        return false;
    start = array.text + (*at ? *at : 1);
    if (start >= end || *start == ']')
        return false;
    *element = (struct span){start, (size_t)(after_value(start, end) - start)};
    start += element->length;
    *at = (size_t)(start - array.text) + (start < end && *start == ',');
    return true;
}

bool json_compact_text(struct span value, struct arena *arena, struct span *text)
{
    json_t *string;

    if (value.length == 0 || !strchr("\"-0123456789", value.text[0]))
        return false;
    if (value.text[0] != '"') {
        *text = (struct span){arena_copy(arena, value.text, value.length), value.length};
        return true;
    }
    if (!memchr(value.text, '\\', value.length)) {
        *text = (struct span){arena_copy(arena, value.text + 1, value.length - 2), value.length - 2};
        return true;
    }
    string = json_loadb(value.text, value.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!string)
        return false;
    *text = (struct span){arena_copy(arena, json_string_value(string), json_string_length(string)),
                          json_string_length(string)};
    json_decref(string);
    return true;
}

bool json_compact_integer(struct span value, int64_t *number)
{
    if (value.length >= 2 && value.text[0] == '"')
        value = (struct span){value.text + 1, value.length - 2};
    return text_int(value.text, value.length, number);
}

bool json_compact_is_object(struct span value)
{
    return value.length >= 2 && value.text[0] == '{';
}
