/*
 * base/span_table.h - items of the caller's by their key, a struct span in them.
 *
 * The table refers to the items, which stay where they are; its own memory is the arena's. Keys come from one batch or
 * one answer, whose size is limited: the hash is not secret.
 */
#ifndef BASE_SPAN_TABLE_H
#define BASE_SPAN_TABLE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

struct span_table {
    struct arena *arena;
    void **slots; /* a power of two of them, at most half full */
    size_t slot_count, count;
    size_t key_at; /* where in an item its key is */
};

/* key_at: offsetof(struct item, key). It grows beyond expected items. */
void span_table_init(struct span_table *t, struct arena *arena, size_t expected, size_t key_at);

/* NULL: no item has the key. */
void *span_table_find(const struct span_table *t, struct span key);

/* One whose key no other has. */
void span_table_add(struct span_table *t, void *item);

/* Empty again, in the memory it has. */
void span_table_clear(struct span_table *t);

#endif
