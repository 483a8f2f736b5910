/* What is new in the old index, into the new one. */
#include <time.h>

#include "base/clock.h"
#include "handlers/reindex/rebuild.h"
#include "indexer/search.h"

enum { PACE_MS = 50 };

/* Not more than the rate since this process began. */
bool rebuild_pace(struct rebuild *r, size_t documents, struct error *err)
{
    r->read += (int64_t)documents;
    while (r->state.rate > 0 && r->read * 1000 / r->state.rate > clock_monotonic_ms() - r->began_ms) {
        if (!r->run.may_go_on(&r->run, err))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = PACE_MS * 1000000L}, NULL);
    }
    return true;
}

static void fill_documents(struct page *p, const struct hits *hits)
{
    p->documents = arena_zero(p->arena, hits->count * sizeof *p->documents);
    p->count = hits->count;
    for (size_t i = 0; i < hits->count; i++) {
        const struct hit *hit = &hits->items[i];

        p->documents[i] = (struct page_document){
            .id = hit->id, .routing = hit->routing, .body = hit->source, .version = hit->version, .gone = !hit->found};
    }
}

/* Its mark moves with the page that ends a stretch: the pages before it are read again after a kill. */
static bool read_page(struct rebuild *r, int64_t *documents, struct error *err)
{
    struct page *p;
    struct hits hits;

    if (!page_queue_take(r->queue, &r->run, &p, err) ||
        !shard_walk_page(&r->walk, &r->run, &p->text, p->arena, &hits, err) ||
        !rebuild_refetch(r, &hits, p->arena, err))
        return false;
    fill_documents(p, &hits);
    p->read = (int64_t)hits.count;
    p->shard = r->walk.shard;
    p->reached = r->walk.after;
    page_queue_put(r->queue, p);
    *documents += (int64_t)hits.count;
    return rebuild_pace(r, hits.count, err);
}

static bool read_shard(struct rebuild *r, size_t shard, int64_t after, int64_t upto, int64_t *documents,
                       struct error *err)
{
    bool ok = true;

    shard_walk_begin(&r->walk, shard, after, upto);
    while (ok && !shard_walk_ended(&r->walk))
        ok = read_page(r, documents, err);
    shard_walk_release(&r->walk);
    return ok;
}

static bool is_ahead(const struct shard_marks *a, const struct shard_marks *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->seq_no[i] > b->seq_no[i])
            return true;
    return false;
}

/* What is settled is asked first, then it is made visible: what is written meanwhile may be copied twice, and is not
 * missed. */
bool rebuild_round(struct rebuild *r, int64_t *documents, struct error *err)
{
    struct shard_marks *copied = &r->state.copied, upto;
    int64_t deletions;
    bool ok;

    *documents = 0;
    if (!shard_marks_settled(r->client, r->state.old, &upto, &deletions, err))
        return false;
    if (copied->count == 0)
        shard_marks_start(copied, upto.count);
    if (copied->count != upto.count)
        return error_set(err, ERROR_INPUT, "%s is not the index it was", r->state.old);
    if (!is_ahead(&upto, copied))
        return true;
    ok = search_refresh(r->client, r->state.old, err);
    r->state.done -= r->state.done_anew;
    r->state.done_anew = 0;
    for (size_t shard = 0; ok && shard < upto.count; shard++)
        ok = read_shard(r, shard, copied->seq_no[shard], upto.seq_no[shard], documents, err);
    return ok && page_queue_drain(r->queue, &r->run, err) && rebuild_state_save(r->redis, &r->state, err);
}
