#include "handlers/audit/audit_mask.h"

#include <stdbool.h>
#include <string.h>

/* ----------------------------------------------------------------------------------------------------------- masks */

static void mask_at(json_t *value, struct span path);

static void mask_member(json_t *object, const char *key, json_t *value, struct span rest)
{
    if (rest.length > 0)
        mask_at(value, rest);
    else if (!json_is_null(value))
        json_object_set_new(object, key, json_string(AUDIT_MASKED));
}

/* The part before the first dot, and what follows it. */
static void mask_object(json_t *object, struct span path)
{
    const char *dot = memchr(path.text, '.', path.length);
    size_t length = dot ? (size_t)(dot - path.text) : path.length;
    struct span rest = {path.text + length + 1, dot ? path.length - length - 1 : 0};
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, key, value)
    {
        if ((length == 1 && *path.text == '*') || (strlen(key) == length && memcmp(key, path.text, length) == 0))
            mask_member(object, key, value, rest);
    }
}

static void mask_at(json_t *value, struct span path)
{
    if (json_is_object(value))
        mask_object(value, path);
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++)
        mask_at(json_array_get(value, i), path);
}

void audit_mask(json_t *data, const char *paths)
{
    size_t root = strlen("data."), length;
    const char *word;

    while (text_word(&paths, &word, &length))
        mask_at(data, (struct span){word + root, length - root});
}

/* ------------------------------------------------------------------------------------------------------------ cuts */

void audit_cut_text(struct span text, size_t most, struct buf *out)
{
    size_t kept = most;

    if (text.length <= most) {
        buf_add(out, text.text, text.length);
        return;
    }
    while (kept > 0 && ((unsigned char)text.text[kept] & 0xc0) == 0x80)
        kept--;
    buf_add(out, text.text, kept);
    buf_printf(out, "... (%zu bytes more)", text.length - kept);
}

static json_t *cut_string(const json_t *string, size_t most)
{
    struct buf text = BUF_INIT;
    json_t *cut;

    audit_cut_text((struct span){json_string_value(string), json_string_length(string)}, most, &text);
    cut = json_stringn(text.data, text.length);
    buf_release(&text);
    return cut;
}

static bool is_long(const json_t *value, size_t most)
{
    return json_is_string(value) && json_string_length(value) > most;
}

/* The same members under names of which none is too long. */
static void cut_names(json_t *object, size_t most)
{
    json_t *cut = json_object(), *value;
    struct buf name = BUF_INIT;
    const char *key;

    json_object_foreach(object, key, value)
    {
        buf_reset(&name);
        audit_cut_text(span_of(key), most, &name);
        json_object_set(cut, name.data, value);
    }
    json_object_clear(object);
    json_object_update(object, cut);
    json_decref(cut);
    buf_release(&name);
}

static void cut_object(json_t *object, size_t most)
{
    bool long_name = false;
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, key, value)
    {
        long_name = long_name || strlen(key) > most;
        if (is_long(value, most))
            json_object_set_new(object, key, cut_string(value, most));
        else
            audit_cut(value, most);
    }
    if (long_name)
        cut_names(object, most);
}

void audit_cut(json_t *value, size_t most)
{
    if (json_is_object(value))
        cut_object(value, most);
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
        json_t *element = json_array_get(value, i);

        if (is_long(element, most))
            json_array_set_new(value, i, cut_string(element, most));
        else
            audit_cut(element, most);
    }
}
