/* Whether the new index holds what the old one holds. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "handlers/reindex/look.h"
#include "handlers/reindex/rebuild.h"
#include "indexer/indices.h"
#include "indexer/search.h"

enum {
    TRIES_MOST = 8, /* both are counted a moment apart, and others write meanwhile */
};

/* ------------------------------------------------------------------------------------- what is there no more */

struct pruning {
    struct rebuild *rebuild;
    struct shard_reader reader; /* of the new index */
    struct buf text, looked;
    struct arena *arena;
};

/* Deleted at the version it has in the new index: nothing that comes later is hindered. */
static bool take_out(struct pruning *p, const struct hit *hits, const struct hit *of_old, size_t count,
                     struct error *err)
{
    struct rebuild *r = p->rebuild;
    struct page *page;

    if (!page_queue_take(r->queue, &r->run, &page, err))
        return false;
    page->documents = arena_zero(page->arena, count * sizeof *page->documents);
    for (size_t i = 0; i < count; i++)
        if (!of_old[i].found) {
            struct page_document *d = &page->documents[page->count++];

            *d = (struct page_document){.version = hits[i].version, .gone = true};
            d->id = (struct span){arena_copy(page->arena, hits[i].id.text, hits[i].id.length), hits[i].id.length};
            if (hits[i].routing)
                d->routing = arena_text(page->arena, hits[i].routing);
        }
    page->shard = SHARDS_MOST; /* it moves no mark */
    page_queue_put(r->queue, page);
    return page_queue_drain(r->queue, &r->run, err);
}

static bool prune_page(struct pruning *p, size_t shard, int64_t *after, int64_t upto, struct error *err)
{
    struct rebuild *r = p->rebuild;
    struct hits hits;
    struct hit *of_old;

    arena_reset(p->arena);
    return shard_read(&p->reader, shard, *after, upto, &r->run, &p->text, p->arena, &hits, after, err) &&
           look_up(r->client, r->state.old, hits.items, hits.count, false, &p->looked, p->arena, &of_old, err) &&
           rebuild_ask_source(r, hits.items, of_old, hits.count, p->arena, err) &&
           (hits.count == 0 || take_out(p, hits.items, of_old, hits.count, err));
}

bool rebuild_prune(struct rebuild *r, const struct shard_marks *upto, struct error *err)
{
    struct pruning p = {.rebuild = r, .text = BUF_INIT, .looked = BUF_INIT};
    bool ok = search_refresh(r->client, r->state.into, err);

    if (r->supply && !supply_by_id(r->supply))
        return ok; /* what only a file has was perhaps never in the old index */
    p.arena = arena_new();
    p.reader =
        (struct shard_reader){.client = r->client, .index = r->state.into, .ids_only = true, .page.most = IDS_MOST};
    for (size_t shard = 0; ok && shard < upto->count; shard++)
        for (int64_t after = -1; ok && after < upto->seq_no[shard];)
            ok = prune_page(&p, shard, &after, upto->seq_no[shard], err);
    arena_free(p.arena);
    buf_release(&p.text);
    buf_release(&p.looked);
    return ok;
}

/* --------------------------------------------------------------------------------------------------- the number */

struct counted {
    int64_t of_old, of_new;
    int64_t to_come; /* writes to the old index that the last round did not have */
    int64_t gone;    /* deletions in it since the new index was compared with it by ids, or was empty */
};

static int64_t sum_ahead(const struct shard_marks *a, const struct shard_marks *b)
{
    int64_t sum = 0;

    for (size_t i = 0; i < a->count && i < b->count; i++)
        sum += a->seq_no[i] - b->seq_no[i];
    return sum;
}

static bool count_both(struct rebuild *r, struct counted *n, struct error *err)
{
    return search_refresh(r->client, r->state.old, err) && search_refresh(r->client, r->state.into, err) &&
           indices_count(r->client, r->state.old, NULL, &n->of_old, err) &&
           indices_count(r->client, r->state.into, NULL, &n->of_new, err);
}

/* One more round, then both counted, then what happened meanwhile. */
static bool follow_and_count(struct rebuild *r, struct counted *n, struct error *err)
{
    struct shard_marks now;
    int64_t documents;

    if (!rebuild_round(r, &documents, err) || !count_both(r, n, err) ||
        !shard_marks_settled(r->client, r->state.old, &now, &n->gone, err))
        return false;
    n->to_come = sum_ahead(&now, &r->state.copied);
    n->gone -= r->state.deletions;
    return true;
}

/* What comes and goes all the time explains a difference, and no other does. */
static bool is_explained(const struct counted *n)
{
    int64_t more = n->of_new - n->of_old;

    return more <= (n->gone > 0 ? n->gone : 0) && -more <= n->to_come;
}

/* Deletions are asked for first: what goes meanwhile is seen by their number. */
static bool prune_all(struct rebuild *r, struct error *err)
{
    struct shard_marks upto, ignored;

    return shard_marks_settled(r->client, r->state.old, &ignored, &r->state.deletions, err) &&
           shard_marks_last(r->client, r->state.into, &upto, err) && rebuild_prune(r, &upto, err);
}

struct missing {
    int64_t count;
    char first[513]; /* an id */
    struct buf text, of_new, of_old;
    struct arena *arena;
};

/* What was deleted since it was found is not missing; nor what was written since it was copied. */
static bool count_page(struct rebuild *r, struct missing *m, size_t shard, const struct hit *hits, size_t count,
                       struct error *err)
{
    struct hit *there, *now;

    if (!look_up(r->client, r->state.into, hits, count, false, &m->of_new, m->arena, &there, err) ||
        !look_up(r->client, r->state.old, hits, count, false, &m->of_old, m->arena, &now, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!there[i].found && now[i].found && now[i].seq_no <= r->state.copied.seq_no[shard] && m->count++ == 0)
            snprintf(m->first, sizeof m->first, "%.*s", (int)hits[i].id.length, hits[i].id.text);
    return true;
}

/* What the new index lacks of what was copied; the old one may have got more since. */
static bool count_missing(struct rebuild *r, struct missing *m, struct error *err)
{
    struct shard_reader reader = {.client = r->client, .index = r->state.old, .ids_only = true, .page.most = IDS_MOST};
    bool ok = true;

    for (size_t shard = 0; ok && shard < r->state.copied.count; shard++)
        for (int64_t after = -1, upto = r->state.copied.seq_no[shard]; ok && after < upto;) {
            struct hits hits;

            arena_reset(m->arena);
            ok = shard_read(&reader, shard, after, upto, &r->run, &m->text, m->arena, &hits, &after, err) &&
                 count_page(r, m, shard, hits.items, hits.count, err);
        }
    return ok;
}

/* Counted again and again, numbers that never meet are those of an index that is written all the time: then by ids. */
static bool compare_by_ids(struct rebuild *r, const struct counted *n, struct error *err)
{
    struct missing m = {.text = BUF_INIT, .of_new = BUF_INIT, .of_old = BUF_INIT, .arena = arena_new()};
    bool ok = count_missing(r, &m, err);

    if (ok && m.count > 0)
        ok = error_set(err, ERROR_INPUT,
                       "%s would have %lld documents, %s has %lld: %lld are missing, such as %.100s; nothing was "
                       "changed",
                       r->state.into, (long long)n->of_new, r->state.old, (long long)n->of_old, (long long)m.count,
                       m.first);
    arena_free(m.arena);
    buf_release(&m.text);
    buf_release(&m.of_new);
    buf_release(&m.of_old);
    return ok;
}

static bool compare_counts(struct rebuild *r, struct error *err)
{
    struct counted n = {0};
    bool pruned = false;

    for (int tries = 0; tries < TRIES_MOST; tries++) {
        if (!follow_and_count(r, &n, err))
            return false;
        if (is_explained(&n) && (pruned || n.of_new <= n.of_old))
            return true;
        if (n.of_new <= n.of_old)
            continue;
        if (!prune_all(r, err))
            return false;
        pruned = true;
    }
    return compare_by_ids(r, &n, err);
}

/* ----------------------------------------------------------------------------------------------------- a sample */

struct sample {
    struct buf found, of_old, of_new;
    struct arena *arena;
    struct hits hits; /* whose documents are still to be compared */
};

/* Leaves in the sample what differs; what was deleted since is taken out of the new index later. */
static bool compare_documents(struct rebuild *r, struct sample *s, struct error *err)
{
    struct hit *of_old, *of_new;
    size_t left = 0;

    if (!look_up(r->client, r->state.old, s->hits.items, s->hits.count, true, &s->of_old, s->arena, &of_old, err) ||
        !look_up(r->client, r->state.into, s->hits.items, s->hits.count, true, &s->of_new, s->arena, &of_new, err))
        return false;
    for (size_t i = 0; i < s->hits.count; i++)
        if (of_old[i].found && !look_same(&of_old[i], &of_new[i]))
            s->hits.items[left++] = s->hits.items[i];
    s->hits.count = left;
    return true;
}

/* What differs may have been written at this moment: then it is the same after a round more. */
static bool compare_sample(struct rebuild *r, struct error *err)
{
    struct sample s = {BUF_INIT, BUF_INIT, BUF_INIT, arena_new(), {0}};
    int64_t documents;
    bool ok = look_sample(r->client, r->state.old, &s.found, s.arena, &s.hits, err) && compare_documents(r, &s, err);

    for (int tries = 1; ok && s.hits.count > 0 && tries < TRIES_MOST; tries++)
        ok = rebuild_round(r, &documents, err) && compare_documents(r, &s, err);
    if (ok && s.hits.count > 0)
        ok = error_set(
            err, ERROR_INPUT, "%zu of %d documents are not the same in %s, such as %.*s; nothing was changed",
            s.hits.count, LOOK_SAMPLE, r->state.into,
            (int)(s.hits.items[0].id.length < 200 ? s.hits.items[0].id.length : 200), s.hits.items[0].id.text);
    arena_free(s.arena);
    buf_release(&s.found);
    buf_release(&s.of_old);
    buf_release(&s.of_new);
    return ok;
}

bool rebuild_compare(struct rebuild *r, struct error *err)
{
    int64_t documents;

    if (r->supply)
        return supply_by_id(r->supply) ? rebuild_compare_supply(r, err) : rebuild_round(r, &documents, err);
    return compare_counts(r, err) && compare_sample(r, err);
}
