/*
 * base/arena.h - memory that belongs to a scope: what one pass makes goes with one reset.
 *
 * Pointers handed out stay valid until the next arena_reset or arena_free. Not for two threads at once.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/attrs.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a); /* NULL is fine */

/* Gives everything back to the arena; memory beyond an ordinary pass's need goes back to the system. */
void arena_reset(struct arena *a);

/* Aligned for any type, not cleared. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_zero(struct arena *a, size_t size);

/* Copies, always ended by a NUL that is not counted. */
char *arena_copy(struct arena *a, const char *bytes, size_t length);
char *arena_text(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *format, ...) printf_like(2, 3);

#endif
