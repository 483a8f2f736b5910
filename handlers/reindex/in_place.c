#include "handlers/reindex/in_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "handlers/reindex/look.h"
#include "handlers/reindex/page_queue.h"
#include "handlers/reindex/supply.h"
#include "handlers/repair/pages.h"
#include "indexer/search.h"

enum {
    TOGETHER = 250,
    ID_BYTES_MOST = 512, /* OpenSearch's own limit */
    PARALLEL_DEFAULT = 4,
    PACE_MS = 50,
};

struct in_place {
    const struct in_place_options *options;
    struct client *client;
    struct supply *supply;
    struct page_queue *queue;
    struct clock_run *run;
    struct in_place_tally *tally;
    struct buf looked;
    int64_t began_ms;
    bool only_gone; /* the others were looked at before */
};

/* ------------------------------------------------------------------------------------------------- some documents */

/* Documents of the source without a version of their own keep that of the index, so that nobody's next write is old. */
static void settle_version(struct page_document *d, const struct hit *there)
{
    if (!d->unversioned || !there->found)
        return;
    d->unversioned = false;
    d->version = there->version;
}

static bool is_wanted(struct in_place *x, struct page_document *d, const struct hit *there)
{
    struct hit fresh = {.found = true, .version = d->version, .source = d->body};

    if (!there->found) {
        x->tally->missing++;
        return true;
    }
    settle_version(d, there);
    fresh.version = d->version;
    if (there->version > d->version)
        return false;
    if (there->version == d->version && (x->options->only_stale ? look_same(&fresh, there) : false))
        return false;
    x->tally->behind += there->version < d->version || !look_same(&fresh, there);
    return true;
}

static bool pace(struct in_place *x, struct error *err)
{
    int64_t rate = x->options->rate;

    while (rate > 0 && x->tally->looked_at * 1000 / rate > clock_monotonic_ms() - x->began_ms) {
        if (!x->run->may_go_on(x->run, err))
            return false;
        nanosleep(&(struct timespec){.tv_nsec = PACE_MS * 1000000L}, NULL);
    }
    return true;
}

/* Leaves in the page what is to be written; what the source does not have goes. */
static bool choose(struct in_place *x, struct page *p, struct error *err)
{
    struct hit *wanted = arena_zero(p->arena, (p->count + 1) * sizeof *wanted), *there;
    size_t kept = 0;

    for (size_t i = 0; i < p->count; i++) {
        wanted[i].id = p->documents[i].id;
        wanted[i].routing = p->documents[i].routing;
    }
    if (!look_up(x->client, x->options->index, wanted, p->count, true, &x->looked, p->arena, &there, err))
        return false;
    for (size_t i = 0; i < p->count; i++) {
        struct page_document *d = &p->documents[i];

        if (x->only_gone && !d->gone)
            continue;
        x->tally->looked_at++;
        if (d->gone && there[i].found) {
            x->tally->gone++;
            d->version = there[i].version;
            p->documents[kept++] = *d;
        } else if (!d->gone && is_wanted(x, d, &there[i])) {
            p->documents[kept++] = *d;
        }
    }
    p->count = x->options->dry_run ? 0 : kept;
    p->read = (int64_t)p->count;
    return true;
}

static bool finish_page(struct in_place *x, struct page *p, struct error *err)
{
    if (!choose(x, p, err))
        return false;
    page_queue_put(x->queue, p);
    return pace(x, err);
}

static void note_wrong(struct in_place_tally *t, struct span id, const char *why)
{
    if (t->wrong++ == 0)
        snprintf(t->reason, sizeof t->reason, "document %.*s: %s", (int)(id.length < 100 ? id.length : 100), id.text,
                 why);
}

static bool do_ids(struct in_place *x, const struct span *ids, size_t count, struct error *err)
{
    struct source_document *fresh;
    struct page *p;

    if (count == 0)
        return true;
    if (!page_queue_take(x->queue, x->run, &p, err))
        return false;
    fresh = arena_alloc(p->arena, count * sizeof *fresh);
    p->documents = arena_zero(p->arena, count * sizeof *p->documents);
    if (!supply_get(x->supply, ids, count, x->run, p->arena, fresh, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct page_document *d = &p->documents[p->count];

        if (fresh[i].wrong) {
            note_wrong(x->tally, ids[i], fresh[i].wrong);
            continue;
        }
        supply_document(&fresh[i], p->arena, d);
        d->id = (struct span){arena_copy(p->arena, ids[i].text, ids[i].length), ids[i].length};
        d->gone = !fresh[i].found;
        d->unversioned = d->unversioned && !d->gone;
        p->count++;
    }
    return finish_page(x, p, err);
}

/* -------------------------------------------------------------------------------------------------- which of them */

static bool do_lines(struct in_place *x, gzFile file, struct error *err)
{
    struct arena *arena = arena_new();
    struct span ids[TOGETHER];
    char line[2 * ID_BYTES_MOST];
    size_t count = 0;
    bool ok = true;

    while (ok && gzgets(file, line, sizeof line)) {
        size_t length = strcspn(line, "\r\n");

        if (length > ID_BYTES_MOST)
            ok = error_set(err, ERROR_INPUT, "%s: an id is longer than %d bytes", x->options->ids, ID_BYTES_MOST);
        else if (length > 0)
            ids[count++] = (struct span){arena_copy(arena, line, length), length};
        if (ok && count == TOGETHER) {
            ok = do_ids(x, ids, count, err);
            count = 0;
            arena_reset(arena);
        }
    }
    ok = ok && do_ids(x, ids, count, err);
    arena_free(arena);
    return ok;
}

static bool by_file(struct in_place *x, struct error *err)
{
    gzFile file = text_same(x->options->ids, "-") ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(x->options->ids, "rb");
    bool ok;

    if (!file)
        return error_set(err, ERROR_INPUT, "%s cannot be read", x->options->ids);
    ok = do_lines(x, file, err);
    gzclose(file);
    return ok;
}

static bool do_hits(struct in_place *x, const json_t *hits, struct error *err)
{
    struct span ids[TOGETHER];
    size_t count = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < json_array_size(hits); i++) {
        ids[count++] = span_of(json_member_text(json_array_get(hits, i), "_id", ""));
        if (count == TOGETHER || i + 1 == json_array_size(hits)) {
            ok = do_ids(x, ids, count, err);
            count = 0;
        }
    }
    return ok;
}

/* Documents of the index, without their content: of a query, or all. */
static bool by_query(struct in_place *x, const json_t *query, struct error *err)
{
    struct search *search = search_open(x->client, x->options->index, query, TOGETHER * 4);
    const json_t *hits = NULL;
    bool ok = search_refresh(x->client, x->options->index, err);

    search_fields(search, "_");
    while (ok && (ok = pages_next(search, x->run, &hits, err)) && hits)
        ok = do_hits(x, hits, err);
    search_close(search);
    return ok;
}

static bool by_walk(struct in_place *x, struct error *err)
{
    struct supply_walk walk = {.since_us = x->options->since_us, .page.most = TOGETHER * 2};
    char *position = xstrdup("");
    size_t read = 1;
    bool ok = true;

    while (ok && read > 0) {
        struct page *p;

        ok = page_queue_take(x->queue, x->run, &p, err) &&
             supply_page(x->supply, &walk, position, x->run, p, &read, err);
        if (!ok)
            break;
        free(position);
        position = xstrndup(p->position.text, p->position.length);
        p->position = SPAN_NONE;
        ok = finish_page(x, p, err);
    }
    x->tally->wrong += walk.wrong;
    if (walk.reason[0] && !x->tally->reason[0])
        snprintf(x->tally->reason, sizeof x->tally->reason, "%s", walk.reason);
    free(position);
    return ok;
}

/* All that the source has, then all that the index has: what only the index has is gone from the source. */
static bool by_all(struct in_place *x, struct error *err)
{
    json_t *all = json_pack("{s:{}}", "match_all");
    bool ok = by_walk(x, err) && page_queue_drain(x->queue, x->run, err);

    x->only_gone = true;
    ok = ok && (!supply_by_id(x->supply) || by_query(x, all, err));
    json_decref(all);
    return ok;
}

static bool by_options(struct in_place *x, struct error *err)
{
    const struct in_place_options *o = x->options;
    json_t *query;
    bool ok;

    if ((o->ids || o->query) && !supply_by_id(x->supply))
        return error_set(err, ERROR_INPUT, "%s cannot be asked for documents by their ids: name a [source]", o->source);
    if (o->ids)
        return by_file(x, err);
    if (!o->query)
        return o->since_us ? by_walk(x, err) : by_all(x, err);
    query = json_text_parse(o->query, strlen(o->query), JSON_DEPTH_DEFAULT, err);
    ok = query ? by_query(x, query, err) : error_in(err, "--query");
    json_decref(query);
    return ok;
}

static bool count_written(const struct page *p, void *context, struct error *err)
{
    struct in_place *x = context;

    (void)err;
    x->tally->written += p->read;
    x->run->did(x->run, p->read);
    return true;
}

bool in_place_run(const struct settings *s, const struct in_place_options *o, struct clock_run *run,
                  struct in_place_tally *tally, struct error *err)
{
    struct in_place x = {.options = o, .run = run, .tally = tally, .looked = BUF_INIT};
    bool ok;

    *tally = (struct in_place_tally){0};
    x.began_ms = clock_monotonic_ms();
    x.client = client_new(&s->opensearch);
    x.supply = supply_new(s, o->source, err);
    x.queue = page_queue_new(s, o->index, (size_t)(o->parallel ? o->parallel : PARALLEL_DEFAULT), count_written, &x);
    ok = x.supply && by_options(&x, err) && page_queue_drain(x.queue, run, err);
    page_queue_free(x.queue);
    supply_free(x.supply);
    client_free(x.client);
    buf_release(&x.looked);
    return ok;
}
