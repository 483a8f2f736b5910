/*
 * handlers/reindex/shard_walk.h - all documents of one shard, for whoever wants them fast: in stretches of its writes,
 * and within a stretch in the order they lie in, as documents that lie side by side are unpacked together.
 *
 * After each stretch all writes up to its end were read; in the middle of one, nothing more than before it. What is
 * written meanwhile moves behind what was settled when the walk began, and is read with the next one.
 */
#ifndef HANDLERS_REINDEX_SHARD_WALK_H
#define HANDLERS_REINDEX_SHARD_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/reindex/page_size.h"
#include "indexer/client.h"
#include "indexer/hits.h"
#include "indexer/scroll.h"

/* The first four are the caller's; zero the rest, which is the walk's own. */
struct shard_walk {
    struct client *client;
    const char *index; /* without the prefix; lent */
    struct page_size page;
    int64_t after; /* all writes up to this one were read; set by shard_walk_begin */

    size_t shard;
    int64_t upto, end, width; /* writes: of the walk; of the stretch under way; how many the next one is */
    int64_t hits;             /* of the stretch so far */
    size_t longest_bytes;     /* of its pages, were they full */
    struct scroll *scroll;    /* of the stretch under way; NULL: none is */
};

/* What is after one write of a shard and not beyond another one. */
void shard_walk_begin(struct shard_walk *w, size_t shard, int64_t after, int64_t upto);
bool shard_walk_ended(const struct shard_walk *w);

/*
 * The next page, which may be an empty one; w->after has moved where it ended a stretch. The bytes go to text, the hits
 * to the arena; both are the caller's to empty. Where the server was away, or lost the stretch, that begins anew: pages
 * of it come again. Tried again while time helps and run lets it.
 */
bool shard_walk_page(struct shard_walk *w, struct clock_run *run, struct buf *text, struct arena *arena,
                     struct hits *hits, struct error *err) must_check;

void shard_walk_release(struct shard_walk *w);

#endif
