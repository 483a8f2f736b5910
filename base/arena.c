#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
    CHUNK_BYTES = 128 * 1024,
    KEEP_BYTES = 2 * 1024 * 1024, /* what a reset keeps for the next pass */
    ALIGN = 16,
};

struct chunk {
    struct chunk *next;
    size_t size;
    _Alignas(16) char bytes[];
};

struct arena {
    struct chunk *first, *current;
    size_t used; /* of current */
};

static struct chunk *chunk_new(size_t size)
{
    struct chunk *c = xmalloc(sizeof *c + size);

    c->next = NULL;
    c->size = size;
    return c;
}

struct arena *arena_new(void)
{
    return xcalloc(1, sizeof(struct arena));
}

static void chunks_free(struct chunk *c)
{
    while (c) {
        struct chunk *next = c->next;

        free(c);
        c = next;
    }
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    chunks_free(a->first);
    free(a);
}

void arena_reset(struct arena *a)
{
    size_t kept = 0;
    struct chunk **link = &a->first;

    while (*link && kept + (*link)->size <= KEEP_BYTES) {
        kept += (*link)->size;
        link = &(*link)->next;
    }
    chunks_free(*link);
    *link = NULL;
    a->current = a->first;
    a->used = 0;
}

/* Moves on to a chunk with room: the next kept one where it is large enough, else a new one put in before it. */
static void next_chunk(struct arena *a, size_t size)
{
    struct chunk **link = a->current ? &a->current->next : &a->first;

    if (!*link || (*link)->size < size) {
        struct chunk *c = chunk_new(size > CHUNK_BYTES ? size : CHUNK_BYTES);

        c->next = *link;
        *link = c;
    }
    a->current = *link;
    a->used = 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
    char *bytes;

    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->current || a->current->size - a->used < size)
        next_chunk(a, size);
    bytes = a->current->bytes + a->used;
    a->used += size;
    return bytes;
}

void *arena_zero(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

char *arena_copy(struct arena *a, const char *bytes, size_t length)
{
    char *copy = arena_alloc(a, length + 1);

    if (length)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

char *arena_text(struct arena *a, const char *text)
{
    return arena_copy(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    char *text;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return arena_text(a, "");
    text = arena_alloc(a, (size_t)length + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}
