#include "handlers/relation/mapped.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "config/hint.h"

static bool is_one_of(const char *type, const char *const *types, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_same(type, types[i]))
            return true;
    return false;
}

bool mapping_is_number(const char *type)
{
    static const char *const types[] = {"long", "integer", "short", "byte", "unsigned_long"};

    return is_one_of(type, types, ARRAY_LENGTH(types));
}

bool mapping_is_analysed(const char *type)
{
    static const char *const types[] = {"text", "match_only_text", "search_as_you_type"};

    return is_one_of(type, types, ARRAY_LENGTH(types));
}

static const char *type_of(const json_t *field)
{
    return json_member_text(field, "type", "object");
}

static const char *keyword_of(const json_t *field)
{
    const char *name;
    json_t *sub;

    json_object_foreach(json_object_get(field, "fields"), name, sub)
    {
        if (text_same(type_of(sub), "keyword") && !json_object_get(sub, "normalizer") &&
            !json_object_get(sub, "ignore_above"))
            return name;
    }
    json_object_foreach(json_object_get(field, "fields"), name, sub)
    {
        if (text_same(type_of(sub), "keyword") && !json_object_get(sub, "normalizer"))
            return name;
    }
    return NULL;
}

bool mapping_find(const json_t *mapping, const char *path, struct mapping_field *found)
{
    const char *at = path;

    *found = (struct mapping_field){.type = "object"};
    for (;;) {
        size_t length = strcspn(at, ".");
        const json_t *field = json_object_getn(json_object_get(mapping, "properties"), at, length);

        if (!field)
            return false;
        found->type = type_of(field);
        if (text_same(found->type, "nested"))
            found->nested_length = (size_t)(at - path) + length;
        if (!at[length]) {
            found->keyword = mapping_is_analysed(found->type) ? keyword_of(field) : NULL;
            return true;
        }
        mapping = field;
        at += length + 1;
    }
}

/* "strict" also where that is said further out. */
static const char *dynamic_of(const json_t *field, const char *outer)
{
    const json_t *dynamic = json_object_get(field, "dynamic");

    return json_is_string(dynamic) ? json_string_value(dynamic) : dynamic ? "" : outer;
}

bool mapping_takes(const json_t *mapping, const char *path)
{
    const char *dynamic = dynamic_of(mapping, ""), *at = path;

    for (;;) {
        size_t length = strcspn(at, ".");
        const json_t *field = json_object_getn(json_object_get(mapping, "properties"), at, length);

        if (!field)
            return !text_same(dynamic, "strict");
        if (json_is_false(json_object_get(field, "enabled")) || text_same(type_of(field), "flat_object") || !at[length])
            return true;
        if (!json_object_get(field, "properties") && !text_same(type_of(field), "object") &&
            !text_same(type_of(field), "nested"))
            return false; /* text, say, holds no fields */
        dynamic = dynamic_of(field, dynamic);
        mapping = field;
        at += length + 1;
    }
}

/* The full names of all fields, each the caller's. */
static void add_names(const json_t *mapping, const char *before, struct words *names)
{
    const char *name;
    json_t *field;

    json_object_foreach(json_object_get(mapping, "properties"), name, field)
    {
        struct buf full = BUF_INIT;

        buf_printf(&full, "%s%s%s", before, *before ? "." : "", name);
        add_names(field, full.data, names);
        words_add(names, buf_take(&full));
    }
}

void mapping_add_hint(const json_t *mapping, const char *path, struct buf *out)
{
    struct words names = WORDS_INIT;
    const char *nearest;

    add_names(mapping, "", &names);
    nearest = text_nearest(path, names.items, names.count);
    if (nearest)
        buf_printf(out, "; did you mean \"%s\"?", nearest);
    for (size_t i = 0; i < names.count; i++)
        free((char *)(uintptr_t)names.items[i]);
    words_release(&names);
}
