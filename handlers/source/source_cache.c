#include "handlers/source/source_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

enum { SLOTS = 4096 };

struct entry {
    struct source_kept kept; /* first: it is what is handed out */
    struct span id;
    size_t bytes;
    int holders; /* the cache itself is one */
    char memory[];
};

/* One place an id: of two ids that meet there the later stays. The hand goes round to make room. */
struct source_cache {
    struct entry *slots[SLOTS];
    size_t bytes, bytes_most, hand;
};

struct source_cache *source_cache_new(size_t bytes_most)
{
    struct source_cache *c = xcalloc(1, sizeof *c);

    c->bytes_most = bytes_most;
    return c;
}

static void let_go(struct entry *e)
{
    if (--e->holders == 0)
        free(e);
}

static void empty_slot(struct source_cache *c, size_t slot)
{
    struct entry *e = c->slots[slot];

    if (!e)
        return;
    c->slots[slot] = NULL;
    c->bytes -= e->bytes;
    let_go(e);
}

void source_cache_free(struct source_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        empty_slot(c, i);
    free(c);
}

static size_t slot_of(struct span id)
{
    return hash_table(id.text, id.length) % SLOTS;
}

const struct source_kept *source_cache_take(struct source_cache *c, struct span id)
{
    struct entry *e = c->slots[slot_of(id)];

    if (!e || e->id.length != id.length || memcmp(e->id.text, id.text, id.length) != 0)
        return NULL;
    e->holders++;
    return &e->kept;
}

void source_cache_give_back(struct source_cache *c, const struct source_kept *kept)
{
    (void)c;
    if (kept)
        let_go((struct entry *)(uintptr_t)kept);
}

static struct entry *entry_new(struct span id, const char *etag, struct span text)
{
    size_t etag_size = strlen(etag) + 1, bytes = sizeof(struct entry) + etag_size + text.length + id.length;
    struct entry *e = xmalloc(bytes);
    char *at = e->memory;

    memcpy(at, etag, etag_size);
    e->kept.etag = at;
    at += etag_size;
    memcpy(at, text.text, text.length);
    e->kept.text = (struct span){at, text.length};
    at += text.length;
    memcpy(at, id.text, id.length);
    e->id = (struct span){at, id.length};
    e->bytes = bytes;
    e->holders = 1;
    return e;
}

void source_cache_keep(struct source_cache *c, struct span id, const char *etag, struct span text)
{
    size_t slot = slot_of(id);
    struct entry *e;

    empty_slot(c, slot);
    if (text.length + id.length > c->bytes_most / 2)
        return;
    e = entry_new(id, etag, text);
    for (; c->bytes + e->bytes > c->bytes_most && c->bytes > 0; c->hand = (c->hand + 1) % SLOTS)
        empty_slot(c, c->hand);
    c->slots[slot] = e;
    c->bytes += e->bytes;
}
