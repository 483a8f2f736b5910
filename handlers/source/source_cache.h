/*
 * handlers/source/source_cache.h - documents with the entity tags they came with, within a bound of bytes.
 *
 * The server says each time whether one is still the present state (304), so none is ever too old.
 */
#ifndef HANDLERS_SOURCE_SOURCE_CACHE_H
#define HANDLERS_SOURCE_SOURCE_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct source_cache;

/* A document kept; it stays as it is until it is given back. */
struct source_kept {
    const char *etag;
    struct span text;
};

struct source_cache *source_cache_new(size_t bytes_most); /* 0: it keeps none */
void source_cache_free(struct source_cache *c);           /* NULL is fine; everything was given back */

const struct source_kept *source_cache_take(struct source_cache *c, struct span id); /* NULL: there is none */
void source_cache_give_back(struct source_cache *c, const struct source_kept *kept); /* NULL is fine */

/* Copies all; instead of what is kept for the id. */
void source_cache_keep(struct source_cache *c, struct span id, const char *etag, struct span text);

#endif
