#include "handlers/reindex/shard_walk.h"

#include "base/clock.h"
#include "handlers/reindex/shard_read.h"

enum {
    STRETCH_HITS = 50000, /* what a kill costs, and enough that most of them lie side by side */
    STRETCH_PAGES = 100,  /* likewise, of large documents or where a rate keeps pages small */
    WIDTH_MOST = 1 << 30,
    GROWTH_MOST = 4,
};

void shard_walk_begin(struct shard_walk *w, size_t shard, int64_t after, int64_t upto)
{
    shard_walk_release(w);
    w->shard = shard;
    w->after = after;
    w->upto = upto;
    page_size_begin(&w->page);
    if (w->width == 0)
        w->width = (int64_t)w->page.hits;
}

bool shard_walk_ended(const struct shard_walk *w)
{
    return w->after >= w->upto;
}

static void open_stretch(struct shard_walk *w)
{
    json_t *query;

    w->end = w->upto - w->after < w->width ? w->upto : w->after + w->width;
    query = json_pack("{s:{s:{s:I,s:I}}}", "range", "_seq_no", "gt", (json_int_t)w->after, "lte", (json_int_t)w->end);
    w->scroll = scroll_open(w->client, w->index, query, w->page.hits);
    scroll_shard(w->scroll, w->shard);
    scroll_whole(w->scroll);
    if (w->end - w->after <= (int64_t)w->page.hits)
        scroll_first_page_only(w->scroll);
    w->longest_bytes = 0;
    w->hits = 0;
    json_decref(query);
}

/* So that the next pages have about the bytes that one is meant to have, and the next stretch the hits. */
static void adapt(struct shard_walk *w)
{
    int64_t wanted, grown = GROWTH_MOST * w->width;

    page_size_fit(&w->page, w->longest_bytes, w->hits ? w->page.hits : 0);
    wanted =
        STRETCH_PAGES * (int64_t)w->page.hits < STRETCH_HITS ? STRETCH_PAGES * (int64_t)w->page.hits : STRETCH_HITS;
    w->width = w->hits ? wanted * w->width / w->hits : grown;
    w->width = w->width > grown ? grown : w->width;
    w->width = w->width > WIDTH_MOST ? WIDTH_MOST : w->width < (int64_t)w->page.hits ? (int64_t)w->page.hits : w->width;
}

static bool is_last(const struct shard_walk *w, const struct hits *page)
{
    return page->count < w->page.hits || w->end - w->after <= (int64_t)w->page.hits;
}

static void note_page(struct shard_walk *w, const struct hits *page, size_t bytes)
{
    size_t full_bytes = page->count ? bytes * w->page.hits / page->count : 0;

    w->hits += (int64_t)page->count;
    if (full_bytes > w->longest_bytes)
        w->longest_bytes = full_bytes;
    if (!is_last(w, page))
        return;
    w->after = w->end;
    adapt(w);
    shard_walk_release(w);
}

/* A page that was too long for one reply is asked for in parts, and what the server cannot keep open in short ones. */
static bool try_less(struct shard_walk *w, const struct error *err)
{
    bool less = err->kind == ERROR_INPUT && page_size_less(&w->page);

    shard_walk_release(w);
    w->width = w->width / 2 > (int64_t)w->page.hits ? w->width / 2 : (int64_t)w->page.hits;
    return less;
}

bool shard_walk_page(struct shard_walk *w, struct clock_run *run, struct buf *text, struct arena *arena,
                     struct hits *hits, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    do {
        if (!w->scroll)
            open_stretch(w);
        scroll_keep(w->scroll, text);
        if (scroll_next(w->scroll, arena, hits, err)) {
            note_page(w, hits, text->length);
            return true;
        }
    } while (try_less(w, err) || patience_left(run, until_ms, err));
    return false;
}

void shard_walk_release(struct shard_walk *w)
{
    scroll_close(w->scroll);
    w->scroll = NULL;
}
