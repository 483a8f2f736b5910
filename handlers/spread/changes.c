#include "handlers/spread/changes.h"
#include "base/span_table.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/json.h"

enum { ROOM_FIRST = 64 };

struct changes {
    struct arena *arena;
    struct change **items;
    size_t count, room;
    struct span_table by_id;
    pthread_mutex_t mutex; /* over outcomes and what was written */
};

struct changes *changes_new(void)
{
    struct changes *c = xcalloc(1, sizeof *c);

    c->arena = arena_new();
    span_table_init(&c->by_id, c->arena, ROOM_FIRST, offsetof(struct change, subject.id));
    pthread_mutex_init(&c->mutex, NULL);
    return c;
}

void changes_reset(struct changes *c)
{
    for (size_t i = 0; i < c->count; i++)
        json_decref(c->items[i]->material);
    c->count = 0;
    arena_reset(c->arena);
    span_table_init(&c->by_id, c->arena, c->room, offsetof(struct change, subject.id));
}

void changes_free(struct changes *c)
{
    if (!c)
        return;
    changes_reset(c);
    arena_free(c->arena);
    pthread_mutex_destroy(&c->mutex);
    free(c->items);
    free(c);
}

/* ------------------------------------------------------------------------------------------------------- by id */

static void grow(struct changes *c)
{
    c->room = c->room ? 2 * c->room : ROOM_FIRST;
    c->items = xrealloc(c->items, c->room * sizeof(struct change *));
}

struct change *changes_find(struct changes *c, struct span id)
{
    return span_table_find(&c->by_id, id);
}

size_t changes_count(const struct changes *c)
{
    return c->count;
}

struct change *changes_at(struct changes *c, size_t i)
{
    return c->items[i];
}

/* ---------------------------------------------------------------------------------------------------- what is newest
 */

static void use_material(struct change *change, json_t *material)
{
    const char *uuid = json_member_text(material, "uuid", NULL);

    change->material = material;
    change->subject.data = change->subject.deleted ? NULL : material;
    change->subject.uuid = uuid ? span_of(uuid) : SPAN_NONE;
    change->subject.uuid_unknown = json_is_null(json_object_get(material, "uuid"));
}

struct change *changes_add(struct changes *c, const struct subject *s, const json_t *material, int64_t time_us)
{
    struct change *change = arena_zero(c->arena, sizeof *change);

    if (c->count == c->room)
        grow(c);
    change->subject.id = (struct span){arena_copy(c->arena, s->id.text, s->id.length), s->id.length};
    change->subject.revision = s->revision;
    change->subject.deleted = s->deleted;
    change->time_us = time_us;
    use_material(change, json_incref((json_t *)(uintptr_t)material));
    span_table_add(&c->by_id, change);
    c->items[c->count++] = change;
    return change;
}

void change_replace(struct change *change, int64_t revision, int64_t time_us, bool deleted, json_t *material)
{
    json_decref(change->material);
    change->subject.revision = revision;
    change->subject.deleted = deleted;
    change->time_us = time_us;
    use_material(change, material);
}

/* ---------------------------------------------------------------------------------------------- what became of it */

void change_set(struct changes *c, struct change *change, enum outcome outcome, const char *reason, const char *reply)
{
    pthread_mutex_lock(&c->mutex);
    if (outcome_outranks(outcome, change->outcome)) {
        change->outcome = outcome;
        change->reason = arena_text(c->arena, reason ? reason : "");
        change->reply = arena_text(c->arena, reply ? reply : "");
    }
    pthread_mutex_unlock(&c->mutex);
}

void change_wrote(struct changes *c, struct change *change)
{
    pthread_mutex_lock(&c->mutex);
    change->wrote = true;
    pthread_mutex_unlock(&c->mutex);
}

size_t changes_open(struct changes *c, size_t *from, struct change **out, size_t most)
{
    size_t count = 0;

    for (; *from < c->count && count < most; ++*from)
        if (c->items[*from]->outcome == OUTCOME_NONE)
            out[count++] = c->items[*from];
    return count;
}
