/* What is different where the documents come from a source or a file, and the old index only says what was written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "handlers/reindex/look.h"
#include "handlers/reindex/rebuild.h"
#include "indexer/indices.h"
#include "indexer/search.h"

enum { TOGETHER = 250, SAMPLE_TRIES = 8 };

/* ------------------------------------------------------------------------------------------------------- filling */

static bool fill_page(struct rebuild *r, struct supply_walk *walk, char **position, size_t *read, struct error *err)
{
    struct page *p;
    int64_t wrong = walk->wrong;

    if (!page_queue_take(r->queue, &r->run, &p, err) || !supply_page(r->supply, walk, *position, &r->run, p, read, err))
        return false;
    if (walk->wrong > wrong && !r->state.wrong[0])
        snprintf(r->state.wrong, sizeof r->state.wrong, "%s", walk->reason);
    r->state.skipped += walk->wrong - wrong;
    p->read = (int64_t)*read;
    p->shard = SHARDS_MOST;
    free(*position);
    *position = xstrndup(p->position.text, p->position.length);
    page_queue_put(r->queue, p);
    return rebuild_pace(r, *read, err);
}

bool rebuild_fill(struct rebuild *r, struct error *err)
{
    struct supply_walk walk = {.page.most = r->reader.page.most};
    char *position = xstrdup(r->state.position);
    size_t read = 1;
    bool ok = true;

    while (ok && read > 0)
        ok = fill_page(r, &walk, &position, &read, err);
    free(position);
    return ok && page_queue_drain(r->queue, &r->run, err);
}

/* ------------------------------------------------------------------------------- what the source has of documents */

/*
 * The newer of both: a source may be a little behind the index that was just written. Without a version of the source's
 * own that of the index stays.
 */
static void take_fresh(struct hit *hit, const struct source_document *fresh)
{
    if (fresh->wrong || (fresh->found && fresh->version != VERSION_NONE && fresh->version < hit->version))
        return;
    hit->found = fresh->found;
    if (!fresh->found)
        return;
    hit->source = fresh->body;
    if (fresh->version != VERSION_NONE)
        hit->version = fresh->version;
}

bool rebuild_refetch(struct rebuild *r, struct hits *hits, struct arena *arena, struct error *err)
{
    struct source_document *fresh;
    struct span *ids;
    bool ok = true;

    if (!r->supply || !supply_by_id(r->supply))
        return true;
    ids = arena_alloc(arena, (hits->count + 1) * sizeof *ids);
    fresh = arena_alloc(arena, (hits->count + 1) * sizeof *fresh);
    for (size_t i = 0; i < hits->count; i++)
        ids[i] = hits->items[i].id;
    for (size_t from = 0; ok && from < hits->count; from += TOGETHER)
        ok = supply_get(r->supply, ids + from, hits->count - from < TOGETHER ? hits->count - from : TOGETHER, &r->run,
                        arena, fresh + from, err);
    for (size_t i = 0; ok && i < hits->count; i++)
        take_fresh(&hits->items[i], &fresh[i]);
    return ok;
}

/* Of hits that the old index does not have: those that the source has are found. */
bool rebuild_ask_source(struct rebuild *r, const struct hit *hits, struct hit *of_old, size_t count,
                        struct arena *arena, struct error *err)
{
    struct hits missing = {.items = arena_alloc(arena, (count + 1) * sizeof *missing.items)};
    size_t *numbers = arena_alloc(arena, (count + 1) * sizeof *numbers);

    for (size_t i = 0; i < count; i++)
        if (!of_old[i].found) {
            numbers[missing.count] = i;
            missing.items[missing.count] = hits[i];
            missing.items[missing.count++].found = true;
        }
    if (!rebuild_refetch(r, &missing, arena, err))
        return false;
    for (size_t i = 0; r->supply && i < missing.count; i++)
        of_old[numbers[i]].found = missing.items[i].found;
    return true;
}

/* ----------------------------------------------------------------------------------------------------- comparing */

/* Leaves in the page what the new index lacks or has in an older version. */
static bool keep_missing(struct rebuild *r, struct buf *looked, struct page *p, struct error *err)
{
    struct hit *wanted = arena_zero(p->arena, (p->count + 1) * sizeof *wanted), *there;
    size_t kept = 0;

    for (size_t i = 0; i < p->count; i++) {
        wanted[i].id = p->documents[i].id;
        wanted[i].routing = p->documents[i].routing;
    }
    if (!look_up(r->client, r->state.into, wanted, p->count, false, looked, p->arena, &there, err))
        return false;
    for (size_t i = 0; i < p->count; i++)
        if (!there[i].found || (!p->documents[i].unversioned && there[i].version < p->documents[i].version))
            p->documents[kept++] = p->documents[i];
    p->count = kept;
    return true;
}

/* All of the source once more: what came to it behind the walk, and was not written to the old index. */
static bool walk_again(struct rebuild *r, struct error *err)
{
    struct buf looked = BUF_INIT;
    struct supply_walk walk = {0};
    char *position = xstrdup("");
    size_t read = 1;
    struct page *p;
    bool ok = true;

    while (ok && read > 0) {
        ok = page_queue_take(r->queue, &r->run, &p, err) &&
             supply_page(r->supply, &walk, position, &r->run, p, &read, err) && keep_missing(r, &looked, p, err);
        if (!ok)
            break;
        p->shard = SHARDS_MOST;
        free(position);
        position = xstrndup(p->position.text, p->position.length);
        p->position = SPAN_NONE;
        page_queue_put(r->queue, p);
    }
    free(position);
    buf_release(&looked);
    return ok && page_queue_drain(r->queue, &r->run, err);
}

static bool compare_count(struct rebuild *r, int64_t *more, struct error *err)
{
    int64_t of_source, of_new;

    if (!supply_count(r->supply, 0, &r->run, &of_source, err) || !search_refresh(r->client, r->state.into, err) ||
        !indices_count(r->client, r->state.into, NULL, &of_new, err))
        return false;
    *more = of_source < 0 ? 0 : of_new - (of_source - r->state.skipped);
    return true;
}

/* What differs is mended by looking at every document; then it is as it was while it was looked at. */
static bool mend(struct rebuild *r, struct error *err)
{
    struct shard_marks upto, ignored;
    int64_t more;

    if (!compare_count(r, &more, err))
        return false;
    if (more < 0)
        return walk_again(r, err);
    return more == 0 || (shard_marks_settled(r->client, r->state.old, &ignored, &r->state.deletions, err) &&
                         shard_marks_last(r->client, r->state.into, &upto, err) && rebuild_prune(r, &upto, err));
}

/* Leaves what differs; a newer version than the source's was written by others, and is right. */
static bool compare_hits(struct rebuild *r, struct hits *sample, struct buf *text, struct arena *arena,
                         struct error *err)
{
    struct hits fresh = {.items = arena_alloc(arena, (sample->count + 1) * sizeof *fresh.items)};
    struct hit *there;
    size_t left = 0;

    if (!look_up(r->client, r->state.into, sample->items, sample->count, true, text, arena, &there, err))
        return false;
    fresh.count = sample->count;
    memcpy(fresh.items, there, sample->count * sizeof *there);
    if (!rebuild_refetch(r, &fresh, arena, err))
        return false;
    for (size_t i = 0; i < sample->count; i++)
        if (fresh.items[i].found && !look_same(&fresh.items[i], &there[i]))
            sample->items[left++] = sample->items[i];
    sample->count = left;
    return true;
}

bool rebuild_compare_supply(struct rebuild *r, struct error *err)
{
    struct buf found = BUF_INIT, text = BUF_INIT;
    struct arena *arena = arena_new();
    struct hits sample = {0};
    int64_t documents;
    bool ok = rebuild_round(r, &documents, err) && mend(r, err) && search_refresh(r->client, r->state.into, err) &&
              look_sample(r->client, r->state.into, &found, arena, &sample, err);

    for (int tries = 0; ok && sample.count > 0 && tries < SAMPLE_TRIES; tries++)
        ok = rebuild_round(r, &documents, err) && compare_hits(r, &sample, &text, arena, err);
    if (ok && sample.count > 0)
        ok = error_set(err, ERROR_INPUT,
                       "%zu documents are not in %s as the source has them, such as %.200s; nothing "
                       "was changed",
                       sample.count, r->state.into, sample.items[0].id.text);
    arena_free(arena);
    buf_release(&found);
    buf_release(&text);
    return ok;
}
