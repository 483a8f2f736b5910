#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json_scan.h"

/* jansson's own depth limit is fixed at 2048: ours is looked for first, strings left aside. */
static bool depth_within(const char *bytes, size_t length, int most, size_t *where)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > most) {
                *where = i;
                return false;
            }
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return true;
}

/* jansson ends its messages with what stands there, which may be nothing for a log: an address, a name. */
static int without_quotation(const char *message)
{
    const char *quotation = strstr(message, " near ");

    return (int)(quotation ? (size_t)(quotation - message) : strlen(message));
}

json_t *json_text_parse(const char *bytes, size_t length, int depth, struct error *err)
{
    json_error_t wrong;
    json_t *value;
    size_t where;

    if (!depth_within(bytes, length, depth, &where)) {
        error_set(err, ERROR_INPUT, "nested deeper than %d levels at byte %zu", depth, where + 1);
        return NULL;
    }
    value = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &wrong);
    if (!value)
        error_set(err, ERROR_INPUT, "line %d column %d (byte %d): %.*s", wrong.line, wrong.column, wrong.position,
                  without_quotation(wrong.text), wrong.text);
    return value;
}

json_t *json_at(const json_t *object, const char *path)
{
    char key[128];

    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t length = (size_t)(dot - path);
        json_t *inner, *found;

        if (length >= sizeof key)
            return NULL;
        memcpy(key, path, length);
        key[length] = '\0';
        inner = json_object_get(object, key);
        if (inner && (found = json_at(inner, dot + 1)))
            return found;
    }
    return json_object_get(object, path);
}

/* Where the text of a member's value begins, looked for from the object's first byte on. */
static const char *walk_to_member(const char *object, const char *end, const char *member, size_t length)
{
    int depth = 0;

    for (const char *at = object; at < end;) {
        if (*at == '"') {
            if (depth == 1 && (size_t)(end - at) > length && memcmp(at, member, length) == 0)
                return at + length;
            at = json_scan_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        at++;
    }
    return NULL;
}

/*
 * What stands behind a comma or a brace, as a name in quotes and a colon, is a member and no part of a string: a quote
 * in one has a backslash before it. With no other bracket before it, it is the object's own.
 */
static const char *find_member(const char *object, const char *end, const char *member)
{
    size_t length = strlen(member);
    const char *found = memmem(object, (size_t)(end - object), member, length);

    if (!found || found == object)
        return NULL; /* nearly always */
    if ((found[-1] == ',' || found[-1] == '{') && !memchr(object + 1, '{', (size_t)(found - object - 1)) &&
        !memchr(object + 1, '[', (size_t)(found - object - 1)))
        return found + length;
    return walk_to_member(object, end, member, length);
}

bool json_text_has_member(const char *object, size_t length, const char *member)
{
    return find_member(object, object + length, member) != NULL;
}

bool json_text_member(const char *object, size_t length, const char *member, struct span *value)
{
    const char *end = object + length, *start = find_member(object, end, member), *at = start;
    int depth = 0;

    if (!start)
        return false;
    while (at < end && (depth > 0 || (*at != ',' && *at != '}'))) {
        if (*at == '"') {
            at = json_scan_string(at, end);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        at++;
    }
    *value = (struct span){start, (size_t)(at - start)};
    return true;
}

static void add_real(struct buf *out, double number)
{
    char text[40];

    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buf_add_text(out, text);
    if (!strpbrk(text, ".eE"))
        buf_add_text(out, ".0"); /* stays a real when it is read again */
}

static void add_value(struct buf *out, const json_t *value, bool sorted);

static void add_member(struct buf *out, const char *key, const json_t *value, bool sorted, bool first)
{
    if (!first)
        buf_add_char(out, ',');
    buf_add_json_text(out, key);
    buf_add_char(out, ':');
    add_value(out, value, sorted);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_object_sorted(struct buf *out, const json_t *object)
{
    size_t count = json_object_size(object), i = 0;
    const char **keys = xmalloc(count * sizeof *keys);

    for (void *at = json_object_iter((json_t *)(uintptr_t)object); at && i < count;
         at = json_object_iter_next((json_t *)(uintptr_t)object, at))
        keys[i++] = json_object_iter_key(at);
    qsort(keys, count, sizeof *keys, by_name);
    for (i = 0; i < count; i++)
        add_member(out, keys[i], json_object_get(object, keys[i]), true, i == 0);
    free(keys);
}

static void add_object(struct buf *out, const json_t *object)
{
    json_t *whole = (json_t *)(uintptr_t)object; /* jansson iterates over non-const only */
    bool first = true;

    for (void *at = json_object_iter(whole); at; at = json_object_iter_next(whole, at)) {
        add_member(out, json_object_iter_key(at), json_object_iter_value(at), false, first);
        first = false;
    }
}

static void add_array(struct buf *out, const json_t *array, bool sorted)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buf_add_char(out, ',');
        add_value(out, json_array_get(array, i), sorted);
    }
}

static void add_value(struct buf *out, const json_t *value, bool sorted)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        buf_add_char(out, '{');
        if (sorted)
            add_object_sorted(out, value);
        else
            add_object(out, value);
        buf_add_char(out, '}');
        break;
    case JSON_ARRAY:
        buf_add_char(out, '[');
        add_array(out, value, sorted);
        buf_add_char(out, ']');
        break;
    case JSON_STRING:
        buf_add_json(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buf_add_int(out, json_integer_value(value));
        break;
    case JSON_REAL:
        add_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_add(out, "true", 4);
        break;
    case JSON_FALSE:
        buf_add(out, "false", 5);
        break;
    case JSON_NULL:
        buf_add(out, "null", 4);
        break;
    }
}

void json_add(struct buf *out, const json_t *value)
{
    add_value(out, value, false);
}

void json_add_sorted(struct buf *out, const json_t *value)
{
    add_value(out, value, true);
}

const char *json_scalar_text(const json_t *value, struct buf *scratch)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (!json_is_number(value) && !json_is_boolean(value))
        return NULL;
    buf_reset(scratch);
    json_add(scratch, value);
    return scratch->data;
}

const char *json_member_text(const json_t *object, const char *key, const char *fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) ? json_string_value(value) : fallback;
}
