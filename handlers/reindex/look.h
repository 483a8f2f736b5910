/* handlers/reindex/look.h - documents by their ids, as the primaries have them at this moment. */
#ifndef HANDLERS_REINDEX_LOOK_H
#define HANDLERS_REINDEX_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "indexer/client.h"
#include "indexer/hits.h"

/*
 * Those documents (id and routing of each count), in the same order, with found; bodies: with their documents. What is
 * returned lies in text and the arena, both the caller's.
 */
bool look_up(struct client *c, const char *index, const struct hit *wanted, size_t count, bool bodies, struct buf *text,
             struct arena *arena, struct hit **out, struct error *err) must_check;

/* Some documents chosen at random, without their bodies. */
enum { LOOK_SAMPLE = 200 };
bool look_sample(struct client *c, const char *index, struct buf *text, struct arena *arena, struct hits *out,
                 struct error *err) must_check;

/* Whether both are the same document: found or not, version, and the JSON. */
bool look_same(const struct hit *a, const struct hit *b);

#endif
