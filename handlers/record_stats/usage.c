#include "handlers/record_stats/usage.h"

#include <stddef.h>
#include <string.h>

#include "base/attrs.h"
#include "base/span_table.h"

/* ----------------------------------------------------------------------------------------------- the document */

struct number {
    const char *name;
    bool of_views, is_real;
    size_t offset; /* in struct usage */
};

static const struct number numbers[] = {
    {"views",            true,  false, offsetof(struct usage, views)           },
    {"unique_views",     true,  false, offsetof(struct usage, unique_views)    },
    {"downloads",        false, false, offsetof(struct usage, downloads)       },
    {"unique_downloads", false, false, offsetof(struct usage, unique_downloads)},
    {"data_volume",      false, true,  offsetof(struct usage, data_volume)     },
};

static json_t *wanted(const struct number *n, const struct usage *u, bool known)
{
    const char *at = (const char *)u + n->offset;
    int64_t whole = 0;
    double real = 0;

    if (known && n->is_real)
        memcpy(&real, at, sizeof real);
    else if (known)
        memcpy(&whole, at, sizeof whole);
    return n->is_real ? json_real(real) : json_integer((json_int_t)whole);
}

static bool apply_number(json_t *level, const struct number *n, const struct usage *u, bool known)
{
    const json_t *old = json_object_get(level, n->name);
    json_t *value;
    bool same;

    if (!known && json_is_number(old))
        return false;
    value = wanted(n, u, known);
    same = json_is_number(old) && json_number_value(old) == json_number_value(value);
    if (same)
        json_decref(value);
    else
        json_object_set_new(level, n->name, value);
    return !same;
}

/* The object of that name, made where there is none. */
static json_t *object_in(json_t *parent, const char *name)
{
    json_t *object = json_object_get(parent, name);

    if (json_is_object(object))
        return object;
    object = json_object();
    json_object_set_new(parent, name, object);
    return object;
}

static bool apply_level(json_t *stats, const char *name, const struct usage *u, struct usage_known known)
{
    json_t *level = object_in(stats, name);
    bool changed = false;

    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        changed |= apply_number(level, &numbers[i], u, numbers[i].of_views ? known.views : known.downloads);
    return changed;
}

bool usage_apply(json_t *document, const struct usage *this_version, const struct usage *all_versions,
                 struct usage_known known)
{
    json_t *stats = object_in(document, "stats");
    bool changed = apply_level(stats, "this_version", this_version, known);

    return apply_level(stats, "all_versions", all_versions, known) || changed;
}

bool usage_differs(const json_t *document, const struct usage *this_version, const struct usage *all_versions,
                   struct usage_known known)
{
    json_t *copy = json_object();
    bool differs;

    if (json_object_get(document, "stats"))
        json_object_set_new(copy, "stats", json_deep_copy(json_object_get(document, "stats")));
    differs = usage_apply(copy, this_version, all_versions, known);
    json_decref(copy);
    return differs;
}

/* ------------------------------------------------------------------------------------------------ by record id */

enum { ENTRIES_A_BLOCK = 256 };

struct usage_map {
    struct arena *arena;
    struct span_table by_key;
    struct usage_entry **entries;
    size_t count, room;
};

struct usage_map *usage_map_new(struct arena *arena)
{
    struct usage_map *m = arena_zero(arena, sizeof *m);

    m->arena = arena;
    span_table_init(&m->by_key, arena, ENTRIES_A_BLOCK, offsetof(struct usage_entry, key));
    return m;
}

struct usage_entry *usage_map_find(const struct usage_map *m, struct span key)
{
    return span_table_find(&m->by_key, key);
}

static void make_room(struct usage_map *m)
{
    struct usage_entry **more;

    if (m->count < m->room)
        return;
    m->room = m->room ? 2 * m->room : ENTRIES_A_BLOCK;
    more = arena_alloc(m->arena, m->room * sizeof(struct usage_entry *));
    if (m->count > 0)
        memcpy(more, m->entries, m->count * sizeof(struct usage_entry *));
    m->entries = more;
}

struct usage_entry *usage_map_enter(struct usage_map *m, struct span key)
{
    struct usage_entry *found = usage_map_find(m, key);

    if (found)
        return found;
    make_room(m);
    found = arena_zero(m->arena, sizeof *found);
    found->key = (struct span){arena_copy(m->arena, key.text, key.length), key.length};
    m->entries[m->count++] = found;
    span_table_add(&m->by_key, found);
    return found;
}

size_t usage_map_count(const struct usage_map *m)
{
    return m->count;
}

struct usage_entry *usage_map_at(const struct usage_map *m, size_t i)
{
    return m->entries[i];
}
