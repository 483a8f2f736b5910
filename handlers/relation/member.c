#include "handlers/relation/member.h"

#include <string.h>

#include "base/json.h"

enum { PATH_BYTES = 127 /* of a path's parts but for the last one: what json_at reads */ };

bool member_path_check(const char *path, size_t length, struct error *err)
{
    bool good = length > 0 && path[0] != '.' && path[length - 1] != '.' && !memmem(path, length, "..", 2) &&
                !memchr(path, '"', length) && text_utf8_valid(path, length) == length;

    if (length > PATH_BYTES)
        return error_set(err, ERROR_CONFIG, "\"%.40s...\" is longer than the %d bytes a field may have", path,
                         PATH_BYTES);
    return good || error_set(err, ERROR_CONFIG, "\"%.*s\" is no field: names separated by single dots are wanted",
                             (int)length, path);
}

bool member_paths_meet(const char *a, const char *b)
{
    size_t length_a = strlen(a), length_b = strlen(b), length = length_a < length_b ? length_a : length_b;

    if (length == 0)
        return true;
    return strncmp(a, b, length) == 0 && (length_a == length_b || (length_a > length ? a : b)[length] == '.');
}

static bool set_in_array(json_t *array, const char *path, const json_t *value, bool with_dots)
{
    bool changed = false;

    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *item = json_array_get(array, i);

        if (json_is_array(item))
            changed |= set_in_array(item, path, value, with_dots);
        else if (json_is_object(item))
            changed |= member_set(item, path, value, with_dots);
    }
    return changed;
}

/* The first part of the path that is there and can hold the rest; *rest is what follows it. */
static json_t *holder_of(const json_t *object, const char *path, const char **rest)
{
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        json_t *inner = json_object_getn(object, path, (size_t)(dot - path));

        if (json_is_object(inner) || json_is_array(inner)) {
            *rest = dot + 1;
            return inner;
        }
    }
    return NULL;
}

static bool set_new(json_t *object, const char *path, const json_t *value, bool with_dots)
{
    const char *dot = with_dots ? NULL : strchr(path, '.');
    json_t *inner;

    if (!dot) {
        json_object_set_new(object, path, json_deep_copy(value));
        return true;
    }
    inner = json_object();
    json_object_setn_new(object, path, (size_t)(dot - path), inner);
    return set_new(inner, dot + 1, value, false);
}

bool member_set(json_t *object, const char *path, const json_t *value, bool with_dots)
{
    const json_t *before = json_object_get(object, path);
    const char *rest;
    json_t *inner;

    if (before && json_equal(before, value))
        return false;
    inner = before ? NULL : holder_of(object, path, &rest);
    if (!inner)
        return set_new(object, path, value, with_dots || before);
    return json_is_array(inner) ? set_in_array(inner, rest, value, false) : member_set(inner, rest, value, false);
}

static bool remove_in_array(json_t *array, const char *path)
{
    bool changed = false;

    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *item = json_array_get(array, i);

        if (json_is_array(item))
            changed |= remove_in_array(item, path);
        else if (json_is_object(item))
            changed |= member_remove(item, path);
    }
    return changed;
}

bool member_remove(json_t *object, const char *path)
{
    bool changed = json_object_del(object, path) == 0;

    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        json_t *inner = json_object_getn(object, path, (size_t)(dot - path));

        if (json_is_array(inner))
            changed |= remove_in_array(inner, dot + 1);
        else if (json_is_object(inner))
            changed |= member_remove(inner, dot + 1);
    }
    return changed;
}
