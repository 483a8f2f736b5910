#include "scheduler/held.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"

void held_release(struct held *h)
{
    free(h->entries);
    *h = (struct held){0};
}

static void swap(struct held *h, size_t a, size_t b)
{
    struct held_entry entry = h->entries[a];

    h->entries[a] = h->entries[b];
    h->entries[b] = entry;
}

void held_add(struct held *h, struct held_entry entry)
{
    size_t i = h->count;

    if (h->count == h->room) {
        h->room = h->room ? 2 * h->room : 64;
        h->entries = xrealloc(h->entries, h->room * sizeof *h->entries);
    }
    h->entries[h->count++] = entry;
    while (i > 0 && h->entries[i].due_ms < h->entries[(i - 1) / 2].due_ms) {
        swap(h, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

bool held_due(const struct held *h, int64_t now_ms)
{
    return h->count > 0 && h->entries[0].due_ms <= now_ms;
}

struct held_entry held_take(struct held *h)
{
    struct held_entry first = h->entries[0];

    h->entries[0] = h->entries[--h->count];
    for (size_t i = 0, child; (child = 2 * i + 1) < h->count; i = child) {
        if (child + 1 < h->count && h->entries[child + 1].due_ms < h->entries[child].due_ms)
            child++;
        if (h->entries[i].due_ms <= h->entries[child].due_ms)
            break;
        swap(h, i, child);
    }
    return first;
}

static int by_tries(const void *a, const void *b)
{
    const struct held_entry *x = a, *y = b;

    if (x->tries != y->tries)
        return x->tries < y->tries ? -1 : 1;
    return (x->due_ms > y->due_ms) - (x->due_ms < y->due_ms);
}

void held_sort(struct held_entry *entries, size_t count)
{
    if (count > 0)
        qsort(entries, count, sizeof *entries, by_tries);
}

size_t held_alike(const struct held_entry *entries, size_t count)
{
    size_t alike = 0;

    while (alike < count && entries[alike].tries == entries[0].tries)
        alike++;
    return alike;
}

int64_t backoff_ms(int n, int64_t base, int64_t most)
{
    int64_t limit = n < 20 ? base << n : most;

    limit = limit < most ? limit : most;
    return 1 + (int64_t)random_below((uint64_t)limit);
}
