#include "handlers/mapping.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

/* Those whose values are what an event's data can hold, and that need no further words. */
static const char *const types[] = {"keyword", "boolean", "byte", "short",         "integer",    "long", "float",
                                    "double",  "text",    "date", "unsigned_long", "half_float", "ip",   "wildcard"};

static bool type_known(const char *type, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (strlen(types[i]) == length && memcmp(types[i], type, length) == 0)
            return true;
    return false;
}

static bool unknown_type(const char *type, size_t length, struct error *err)
{
    char *text = xstrndup(type, length);
    const char *nearest = text_nearest(text, types, ARRAY_LENGTH(types));

    error_set(err, ERROR_CONFIG, "\"%s\" is no type of a field%s%s%s", text, nearest ? "; perhaps " : ": keyword ",
              nearest ? nearest : "boolean integer long double text date ...", nearest ? "?" : "");
    free(text);
    return false;
}

/* Where the words name a field; NULL: nowhere. */
static const char *find_word(const char *words, const char *name, size_t name_length)
{
    const char *word;
    size_t length;

    while (text_word(&words, &word, &length))
        if (length > name_length && word[name_length] == ':' && memcmp(word, name, name_length) == 0)
            return word;
    return NULL;
}

bool mapping_check(const char *words, struct error *err)
{
    const char *at = words, *word;
    size_t length;

    while (text_word(&at, &word, &length)) {
        const char *colon = memchr(word, ':', length);
        size_t name_length = colon ? (size_t)(colon - word) : 0;

        if (name_length == 0)
            return error_set(err, ERROR_CONFIG, "\"%.*s\": NAME:TYPE is wanted", (int)length, word);
        if (!type_known(colon + 1, length - name_length - 1))
            return unknown_type(colon + 1, length - name_length - 1, err);
        if (find_word(words, word, name_length) != word)
            return error_set(err, ERROR_CONFIG, "%.*s stands there twice", (int)name_length, word);
    }
    return true;
}

void mapping_add_word(struct buf *words, const char *name, const char *type)
{
    if (*name && !find_word(words->data, name, strlen(name)))
        buf_printf(words, " %s:%s", name, type);
}

static void add_property(struct buf *out, const char *name, size_t name_length, const char *type, size_t type_length)
{
    if (out->data[out->length - 1] != '{')
        buf_add_char(out, ',');
    buf_add_json(out, name, name_length);
    buf_add_text(out, ":{\"type\":\"");
    buf_add(out, type, type_length);
    buf_add_text(out, "\"}");
}

void mapping_add_properties(struct buf *out, const char *words, const char *time_field, const char *format)
{
    const char *word;
    size_t length;

    buf_add_char(out, '{');
    add_property(out, time_field, strlen(time_field), "date", strlen("date"));
    out->length--; /* its closing brace */
    buf_add_text(out, ",\"format\":");
    buf_add_json_text(out, format);
    buf_add_char(out, '}');
    while (text_word(&words, &word, &length)) {
        const char *colon = memchr(word, ':', length);
        size_t name_length = (size_t)(colon - word);

        if (name_length != strlen(time_field) || memcmp(word, time_field, name_length) != 0)
            add_property(out, word, name_length, colon + 1, length - name_length - 1);
    }
    buf_add_char(out, '}');
}
