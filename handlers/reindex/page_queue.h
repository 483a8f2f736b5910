/*
 * handlers/reindex/page_queue.h - documents on their way into an index: pages are filled by one thread and written by
 * several, each with a connection of its own, while the next ones are read.
 *
 * A document is written at its own version, also over the same one (external_gte), so that a repetition is harmless.
 * Memory is that of the pages, whose number follows the writers'.
 */
#ifndef HANDLERS_REINDEX_PAGE_QUEUE_H
#define HANDLERS_REINDEX_PAGE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"
#include "config/settings.h"
#include "handlers/handler.h"

struct page_document {
    struct span id;
    const char *routing; /* NULL: by the id */
    struct span body;    /* a JSON object */
    int64_t version;
    bool unversioned; /* it has none: written over whatever is there */
    bool gone;        /* deleted at its version, if nothing newer is there */
    bool newer_only;  /* never over the same version */
};

struct page {
    struct buf text; /* emptied, like the arena, before the page is lent */
    struct arena *arena;
    struct page_document *documents; /* in the arena */
    size_t count;

    /* What the one who filled it wants to know when it is written. */
    int64_t read;
    size_t shard;
    int64_t reached;
    struct span position;
};

struct page_queue;

/* A page, and all that were put before it, is durable. False ends the work. */
typedef bool page_settled(const struct page *p, void *context, struct error *err);

/* index: without the prefix; lent. Starts the writers. */
struct page_queue *page_queue_new(const struct settings *s, const char *index, size_t writers, page_settled *settled,
                                  void *context);
void page_queue_free(struct page_queue *q); /* what is not settled by then may be written or not; NULL is fine */

/* Lends an empty page, to be filled and put. Waits for one, settles those that are written. False: a writer's error. */
bool page_queue_take(struct page_queue *q, struct clock_run *run, struct page **page, struct error *err) must_check;
void page_queue_put(struct page_queue *q, struct page *page); /* the one taken last */

/* Until all that was put is settled. */
bool page_queue_drain(struct page_queue *q, struct clock_run *run, struct error *err) must_check;

#endif
