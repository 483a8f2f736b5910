#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "handlers/relation/member.h"
#include "handlers/relation/relation_parts.h"
#include "handlers/relation/revision.h"

#define CHANGED "changed"
#define UUID    "uuid"

bool relation_keeps(const struct relation *r, const struct subject *s)
{
    return s->deleted && r->options->on_delete == ON_DELETE_KEEP;
}

static bool names_one(const struct relation *r, const char *changed)
{
    if (text_starts(changed, "data."))
        changed += strlen("data.");
    for (size_t i = 0; i < r->only_when_count; i++)
        if (member_paths_meet(changed, r->only_when[i]))
            return true;
    return false;
}

bool relation_has_only_when(const struct relation *r)
{
    return r->only_when_count > 0;
}

bool relation_matters(const struct relation *r, const json_t *data)
{
    const json_t *changed = json_object_get(data, CHANGED);

    if (r->only_when_count == 0 || !json_is_array(changed))
        return true;
    for (size_t i = 0; i < json_array_size(changed); i++) {
        const char *name = json_string_value(json_array_get(changed, i));

        if (!name || names_one(r, name))
            return true;
    }
    return false;
}

bool relation_ignores_unknown(const struct relation *r)
{
    return r->options->unknown == UNKNOWN_IGNORE;
}

bool relation_has_content(const struct relation *r, const json_t *data)
{
    if (r->whole)
        return true;
    for (size_t i = 0; i < r->content_count; i++) {
        json_t *made;
        bool there = content_of(r->contents[i], data, r->whole, &made) != NULL;

        json_decref(made);
        if (there)
            return true;
    }
    return false;
}

/* Values are shared with the data: nobody changes either. */
static void take(json_t *material, const json_t *data, const char *field)
{
    json_t *value = json_at(data, field);

    if (value)
        json_object_set(material, field, value);
}

json_t *relation_material(const struct relation *r, const json_t *data)
{
    json_t *material = json_object();
    const char *field;

    for (size_t i = 0; i < r->content_count; i++)
        for (size_t j = 0; (field = content_field(r->contents[i], j)); j++) {
            if (!*field) {
                json_decref(material);
                return json_incref((json_t *)(uintptr_t)data);
            }
            take(material, data, field);
        }
    take(material, data, UUID);
    for (size_t i = 0; i < r->only_when_count; i++)
        take(material, data, r->only_when[i]);
    return material;
}
