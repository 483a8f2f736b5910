/*
 * After the change of aliases: writes that were under way to the old index are brought over.
 *
 * The new index is written by everybody now. A newer version goes over an older one, as ever. Of two documents of the
 * same version that differ, the old index's is the later one only where the new index's is still what it was at the
 * change, which its _seq_no tells; it is looked at just before the write. What is left is a moment of some
 * milliseconds in which the new index may get the same document at the same version: two writes in place of one
 * document, a moment before and a moment after the change. That copy is found by the second look of a spread change and
 * by reconcile.
 */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "handlers/reindex/look.h"
#include "handlers/reindex/rebuild.h"
#include "indexer/search.h"

enum {
    QUIET_MS = 5000, /* so long nothing may come to the old index, and searches of it may take */
    ROUND_MS = 250,
};

struct settling {
    struct rebuild *rebuild;
    struct buf text, of_new, found, again;
    struct arena *arena;
    int64_t documents; /* of the round */
};

/* ------------------------------------------------------------------------------- of the same version, but different */

static void add_unwritten_query(const struct hit *hits, size_t count, int64_t mark, struct buf *body)
{
    buf_printf(body,
               "{\"size\":%zu,\"version\":true,\"seq_no_primary_term\":true,\"_source\":false,\"query\":{\"bool\":"
               "{\"filter\":[{\"range\":{\"_seq_no\":{\"lte\":%lld}}},{\"ids\":{\"values\":[",
               count, (long long)mark);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_char(body, ',');
        buf_add_json(body, hits[i].id.text, hits[i].id.length);
    }
    buf_add_text(body, "]}}]}}}");
}

static const struct hit *hit_of(const struct hit *hits, size_t count, struct span id)
{
    for (size_t i = 0; i < count; i++)
        if (hits[i].id.length == id.length && memcmp(hits[i].id.text, id.text, id.length) == 0)
            return &hits[i];
    return NULL;
}

/* Leaves those that the new index did not get anew since the change. */
static bool keep_unwritten(struct settling *x, struct hit *hits, size_t *count, struct error *err)
{
    struct rebuild *r = x->rebuild;
    const struct shard_marks *marks = &r->state.at_switch;
    size_t kept = 0;
    bool ok = *count == 0 || search_refresh(r->client, r->state.into, err);

    for (size_t shard = 0; ok && *count > 0 && shard < marks->count; shard++) {
        struct buf body = BUF_INIT;
        struct hits found;

        add_unwritten_query(hits, *count, marks->seq_no[shard], &body);
        ok = shard_search(r->client, r->state.into, shard, &body, &x->found, x->arena, &found, err);
        for (size_t i = 0; ok && i < found.count; i++) {
            const struct hit *one = hit_of(hits + kept, *count - kept, found.items[i].id);
            struct hit kept_one;

            if (!one)
                continue;
            kept_one = *one;
            hits[one - hits] = hits[kept];
            hits[kept++] = kept_one;
        }
        buf_release(&body);
    }
    *count = kept;
    return ok;
}

/* ------------------------------------------------------------------------------------------------ a page of them */

static void add_document(struct page *page, const struct hit *hit, bool newer_only)
{
    struct page_document *d = &page->documents[page->count++];

    *d = (struct page_document){.version = hit->version, .newer_only = newer_only};
    d->id = hit->id;
    d->body = hit->source;
    d->routing = hit->routing;
}

/* The hits and what they point to live until the page is written: it is drained before the next one. */
static bool write_page(struct settling *x, const struct hit *hits, size_t count, bool newer_only, struct error *err)
{
    struct rebuild *r = x->rebuild;
    struct page *page;

    if (count == 0)
        return true;
    if (!page_queue_take(r->queue, &r->run, &page, err))
        return false;
    page->documents = arena_zero(page->arena, count * sizeof *page->documents);
    for (size_t i = 0; i < count; i++)
        add_document(page, &hits[i], newer_only);
    page->shard = SHARDS_MOST; /* it moves no mark */
    page_queue_put(r->queue, page);
    return page_queue_drain(r->queue, &r->run, err);
}

/* Leaves those that have the same sequence number as a moment ago. */
static bool keep_same(struct settling *x, struct hit *hits, size_t *count, const struct hit *before,
                      size_t before_count, struct error *err)
{
    struct rebuild *r = x->rebuild;
    struct hit *now;
    size_t kept = 0;

    if (!look_up(r->client, r->state.into, hits, *count, false, &x->again, x->arena, &now, err))
        return false;
    for (size_t i = 0; i < *count; i++) {
        const struct hit *was = hit_of(before, before_count, hits[i].id);

        if (was && now[i].found && now[i].seq_no == was->seq_no)
            hits[kept++] = hits[i];
    }
    *count = kept;
    return true;
}

/* Sorted out: what goes over an older version or none, and what goes in place of the same version. */
static void sort_out(struct hits *hits, const struct hit *of_new, struct hit *equal, size_t *equal_count)
{
    size_t newer = 0;

    *equal_count = 0;
    for (size_t i = 0; i < hits->count; i++)
        if (!hits->items[i].found)
            continue;
        else if (!of_new[i].found || of_new[i].version < hits->items[i].version)
            hits->items[newer++] = hits->items[i];
        else if (of_new[i].version == hits->items[i].version && !look_same(&of_new[i], &hits->items[i]))
            equal[(*equal_count)++] = hits->items[i];
    hits->count = newer;
}

static bool settle_page(struct settling *x, size_t shard, int64_t *after, int64_t upto, struct error *err)
{
    struct rebuild *r = x->rebuild;
    struct hit *of_new, *equal;
    struct hits hits;
    size_t equal_count, read;

    arena_reset(x->arena);
    if (!shard_read(&r->reader, shard, *after, upto, &r->run, &x->text, x->arena, &hits, after, err) ||
        !rebuild_refetch(r, &hits, x->arena, err) ||
        !look_up(r->client, r->state.into, hits.items, hits.count, true, &x->of_new, x->arena, &of_new, err))
        return false;
    read = hits.count;
    x->documents += (int64_t)read;
    equal = arena_alloc(x->arena, (read + 1) * sizeof *equal);
    sort_out(&hits, of_new, equal, &equal_count);
    return write_page(x, hits.items, hits.count, true, err) && keep_unwritten(x, equal, &equal_count, err) &&
           keep_same(x, equal, &equal_count, of_new, read, err) && write_page(x, equal, equal_count, false, err);
}

static bool settle_shard(struct settling *x, size_t shard, int64_t upto, struct error *err)
{
    int64_t *copied = &x->rebuild->state.copied.seq_no[shard];
    bool ok = true;

    for (int64_t after = *copied; ok && after < upto;) {
        ok = settle_page(x, shard, &after, upto, err);
        if (ok)
            *copied = after;
    }
    return ok;
}

static bool settle_shards(struct settling *x, const struct shard_marks *upto, struct error *err)
{
    struct rebuild *r = x->rebuild;
    bool ok = true;

    for (size_t shard = 0; ok && shard < upto->count; shard++)
        ok = settle_shard(x, shard, upto->seq_no[shard], err);
    return ok && (x->documents == 0 || search_refresh(r->client, r->state.into, err)) &&
           rebuild_state_save(r->redis, &r->state, err);
}

static bool settle_round(struct settling *x, int64_t *deletions, struct error *err)
{
    struct rebuild *r = x->rebuild;
    struct shard_marks upto;

    x->documents = 0;
    return shard_marks_settled(r->client, r->state.old, &upto, deletions, err) &&
           (upto.count == r->state.copied.count ||
            error_set(err, ERROR_INPUT, "%s is not the index it was", r->state.old)) &&
           search_refresh(r->client, r->state.old, err) && settle_shards(x, &upto, err);
}

/* Deletions leave no trace to be read; but their number tells whether there were any. */
bool rebuild_settle(struct rebuild *r, struct error *err)
{
    struct settling x = {
        .rebuild = r, .text = BUF_INIT, .of_new = BUF_INIT, .found = BUF_INIT, .again = BUF_INIT, .arena = arena_new()};
    int64_t quiet_since_ms = clock_monotonic_ms(), deletions = r->state.deletions;
    bool ok;

    do {
        ok = r->run.may_go_on(&r->run, err) && settle_round(&x, &deletions, err);
        if (ok && (x.documents > 0 || deletions != r->state.deletions)) {
            quiet_since_ms = clock_monotonic_ms();
            ok = deletions == r->state.deletions || rebuild_prune(r, &r->state.at_switch, err);
            r->state.deletions = deletions;
        }
        if (ok)
            nanosleep(&(struct timespec){.tv_nsec = ROUND_MS * 1000000L}, NULL);
    } while (ok && clock_monotonic_ms() - quiet_since_ms < QUIET_MS);
    arena_free(x.arena);
    buf_release(&x.text);
    buf_release(&x.of_new);
    buf_release(&x.found);
    buf_release(&x.again);
    return ok;
}
