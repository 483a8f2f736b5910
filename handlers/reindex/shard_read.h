/*
 * handlers/reindex/shard_read.h - the documents of one shard in the order of their last writes, page by page, without
 * a point in time: a document that is written meanwhile moves behind what was settled when the reading began, and is
 * read with the next round.
 */
#ifndef HANDLERS_REINDEX_SHARD_READ_H
#define HANDLERS_REINDEX_SHARD_READ_H

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

struct shard_reader {
    struct client *client;
    const char *index; /* without the prefix; lent */
    bool ids_only;     /* hits come without their documents */
    struct page_size page;
    int64_t width; /* writes looked through for the next page, found by what the last ones were; 0: not known yet */
};

/*
 * Documents whose last write is after `after` and not beyond `upto`, as many as a page takes; *reached says up to which
 * write all were read by that. The bytes go to text, the hits to the arena; both are the caller's to empty. Tried again
 * while time helps and run lets it.
 */
bool shard_read(struct shard_reader *r, size_t shard, int64_t after, int64_t upto, struct clock_run *run,
                struct buf *text, struct arena *arena, struct hits *hits, int64_t *reached,
                struct error *err) must_check;

/* Sends a search with a body of JSON text for one shard (its primary), and cuts out the hits; once. */
bool shard_search(struct client *c, const char *index, size_t shard, const struct buf *body, struct buf *text,
                  struct arena *arena, struct hits *hits, struct error *err) must_check;

/* Whether it may be tried again: time helps, run lets it, and it is not too late (until_ms); pauses before. */
bool patience_left(struct clock_run *run, int64_t until_ms, struct error *err);

enum { IDS_MOST = 5000 /* hits a page, without documents */ };
enum { PATIENCE_MS = 120000 /* how long a server may be away before a verb gives up, to be run again */ };

#endif
