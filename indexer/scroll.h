/*
 * indexer/scroll.h - the documents that a query hits, page by page in the order they lie in: the fastest way to read
 * many of them for a moment. What is to be taken up again at the same place is search.h's.
 */
#ifndef INDEXER_SCROLL_H
#define INDEXER_SCROLL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "indexer/client.h"
#include "indexer/hits.h"

struct scroll;

enum { SCROLL_KEEP_MS = 300000 /* longest time between two pages */ };

/* index: name, alias or pattern without the prefix; a missing one has no hits. query is borrowed. Sends nothing yet. */
struct scroll *scroll_open(struct client *c, const char *index, const json_t *query, size_t page_size);

/* Before the first page: one of so many parts of the hits, told apart by their sequence number. */
void scroll_part(struct scroll *s, int part, int parts);

/* Before the first page: there is no more than that. Nothing has to be kept, and cleared, for a second. */
void scroll_first_page_only(struct scroll *s);

/* Before the first page: in the order of their sequence numbers, which every write to a document raises. */
void scroll_in_order(struct scroll *s);

/*
 * Before the first page: of one shard, and its primary alone, as a copy may be behind it in what can be seen. A missing
 * index is ERROR_AGAIN then.
 */
void scroll_shard(struct scroll *s, size_t shard);

/* Before the first page: one that is too long to be read with its documents is ERROR_INPUT. */
void scroll_whole(struct scroll *s);

/* What the next pages are kept in, each in place of the one before, so that their texts outlive the client's call. */
void scroll_keep(struct scroll *s, struct buf *text);

/*
 * The next page, laid out in the arena; texts of documents are lent until the client's next call. No hits: that was
 * all. Where a page with its documents is too long to be read, all comes again from the beginning without any: hits_get
 * tells them one by one. False: ERROR_AGAIN (also where the server forgot the scroll: it has to be opened anew), or
 * ERROR_INPUT for a query that is refused.
 */
bool scroll_next(struct scroll *s, struct arena *arena, struct hits *out, struct error *err) must_check;

void scroll_close(struct scroll *s); /* NULL is fine */

/* The documents behind hits as they are now (_mget), in their order; lent as above. */
bool hits_get(struct client *c, const struct hit *const *which, size_t count, struct arena *arena, struct hits *out,
              struct error *err) must_check;

/* How many documents a query hits, but no more than most are counted. A missing index has none. */
bool hits_count(struct client *c, const char *index, const json_t *query, int64_t most, int64_t *count,
                struct error *err) must_check;

/*
 * How many documents are hit and the sum of their sequence numbers: every write to one of them raises it. So who knows
 * the numbers of all learns at little cost whether another wrote since.
 */
struct hits_sum {
    int64_t count;
    double numbers; /* exact below 2^53 */
};

bool hits_sum(struct client *c, const char *index, const json_t *query, struct hits_sum *out,
              struct error *err) must_check;
bool hits_sum_same(const struct hits_sum *a, const struct hits_sum *b);

/* The greatest sequence number of all documents; 0 also where there are none. */
bool hits_last_number(struct client *c, const char *index, int64_t *number, struct error *err) must_check;

/*
 * How many writes the index has taken, by anybody, since a time of its own: what it grew by between two askings is how
 * many there were. A missing index has taken none.
 */
bool hits_writes(struct client *c, const char *index, int64_t *count, struct error *err) must_check;

#endif
