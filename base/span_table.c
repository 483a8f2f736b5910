#include "base/span_table.h"

#include <string.h>

#include "base/hash.h"

enum { SLOTS_LEAST = 16 };

static struct span key_of(const struct span_table *t, const void *item)
{
    return *(const struct span *)(const void *)((const char *)item + t->key_at);
}

/* The slot where the item of that key is, or would be. */
static void **slot_of(const struct span_table *t, struct span key)
{
    size_t at = (size_t)hash_table(key.text, key.length) & (t->slot_count - 1);

    for (; t->slots[at]; at = (at + 1) & (t->slot_count - 1)) {
        struct span there = key_of(t, t->slots[at]);

        if (there.length == key.length && memcmp(there.text, key.text, key.length) == 0)
            break;
    }
    return &t->slots[at];
}

static void make_slots(struct span_table *t, size_t count)
{
    t->slot_count = count;
    t->slots = arena_zero(t->arena, count * sizeof(void *));
}

void span_table_init(struct span_table *t, struct arena *arena, size_t expected, size_t key_at)
{
    size_t count = SLOTS_LEAST;

    *t = (struct span_table){.arena = arena, .key_at = key_at};
    while (count < 2 * expected)
        count *= 2;
    make_slots(t, count);
}

void *span_table_find(const struct span_table *t, struct span key)
{
    return *slot_of(t, key);
}

static void grow(struct span_table *t)
{
    void **before = t->slots;
    size_t count = t->slot_count;

    make_slots(t, 2 * count);
    for (size_t i = 0; i < count; i++)
        if (before[i])
            *slot_of(t, key_of(t, before[i])) = before[i];
}

void span_table_add(struct span_table *t, void *item)
{
    if (2 * (t->count + 1) > t->slot_count)
        grow(t);
    *slot_of(t, key_of(t, item)) = item;
    t->count++;
}

void span_table_clear(struct span_table *t)
{
    memset(t->slots, 0, t->slot_count * sizeof(void *));
    t->count = 0;
}
