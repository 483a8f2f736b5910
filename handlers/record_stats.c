#include "handlers/record_stats.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "handlers/aggregate.h"
#include "handlers/dirty.h"
#include "handlers/record_stats/record_writer.h"
#include "handlers/record_stats/totals.h"
#include "indexer/search.h"
#include "notifier/template.h"

enum { SOURCES_MOST = 2, HITS_A_PAGE = 1000 };

#define AT(field) offsetof(struct record_stats_options, field)
/* clang-format off */
static const struct config_key keys[] = {
    {"views", CONFIG_TEXT, AT(views), "", 0, 0, NULL, NULL,
     "handler of type aggregate that counts views; empty: views are left as they are"},
    {"downloads", CONFIG_TEXT, AT(downloads), "", 0, 0, NULL, NULL,
     "likewise for downloads"},
    {"index", CONFIG_TEXT, AT(index), "rdmrecords-records", 0, 0, NULL, NULL,
     "index or alias of the platform's record documents"},
    {"id_field", CONFIG_TEXT, AT(id_field), "id", 0, 0, NULL, NULL,
     "field of a record document that the record of an aggregate names"},
    {"parent_field", CONFIG_TEXT, AT(parent_field), "parent.id", 0, 0, NULL, NULL,
     "likewise for the parent, which all versions of a record share"},
    {"side_index", CONFIG_TEXT, AT(side_index), "", 0, 0, NULL, NULL,
     "index of crier's own that gets the numbers instead; empty: they go into `stats` of the record documents"},
    {"rate", CONFIG_COUNT, AT(rate), "500", 1, 100000, NULL, NULL,
     "most documents written in a second"},
    {"page", CONFIG_COUNT, AT(page), "1000", 1, 5000, NULL, NULL,
     "most parents computed together"},
    CONFIG_END,
};
/* clang-format on */
#undef AT

struct record_stats {
    const struct record_stats_options *options;
    struct totals_source sources[SOURCES_MOST];
    size_t source_count;
    const char *queues[SOURCES_MOST]; /* in whose slots the marks are */
    size_t queue_count;
    struct record_writer *writer;
    struct template *side_index;
    struct arena *arena; /* of one page */
};

/* The marks of one page in one queue's slot. */
struct taken {
    const char *queue;
    struct dirty_mark *marks;
    size_t count;
};

struct page {
    struct taken taken[SOURCES_MOST];
    struct usage_page usage;
    struct error *trouble; /* of documents that could not be brought up to date */
};

static bool record_stats_check(const void *options, struct error *err)
{
    const struct record_stats_options *o = options;

    if (!*o->views && !*o->downloads)
        return error_set(err, ERROR_CONFIG, "name a handler of type aggregate as views, as downloads or both");
    if (strpbrk(o->side_index, "{}"))
        return error_set(err, ERROR_CONFIG, "side_index takes no placeholders");
    return !*o->side_index || template_check_index(o->side_index, err) || error_in(err, "side_index");
}

static bool record_stats_fits(const struct settings *s, const struct handler_settings *hs, struct error *err)
{
    const struct record_stats_options *o = hs->own;

    if (*o->views && !handler_named(s, o->views, &aggregate_handler, err))
        return error_in(err, "views");
    return !*o->downloads || handler_named(s, o->downloads, &aggregate_handler, err) || error_in(err, "downloads");
}

/* ---------------------------------------------------------------------------------------------------- its making */

static void add_queue(struct record_stats *r, const char *queue)
{
    for (size_t i = 0; i < r->queue_count; i++)
        if (strcmp(r->queues[i], queue) == 0)
            return;
    r->queues[r->queue_count++] = queue;
}

static bool add_source(struct record_stats *r, const struct settings *s, const char *handler, bool is_downloads,
                       struct error *err)
{
    if (!*handler)
        return true;
    if (!totals_source_init(&r->sources[r->source_count], s, handler, is_downloads, err))
        return error_in(err, is_downloads ? "downloads" : "views");
    r->source_count++;
    add_queue(r, settings_handler(s, handler)->queue);
    return true;
}

static bool record_stats_open(struct handler *h, struct error *err)
{
    struct record_stats *r = h->state = xcalloc(1, sizeof *r);

    r->options = h->options;
    r->arena = arena_new();
    r->writer = record_writer_new(r->options, h->client, h->settings->opensearch.bulk_bytes);
    if (*r->options->side_index && !(r->side_index = template_new(r->options->side_index, err)))
        return false;
    return add_source(r, h->settings, r->options->views, false, err) &&
           add_source(r, h->settings, r->options->downloads, true, err);
}

static void record_stats_close(struct handler *h)
{
    struct record_stats *r = h->state;

    if (!r)
        return;
    for (size_t i = 0; i < r->source_count; i++)
        totals_source_release(&r->sources[i]);
    record_writer_free(r->writer);
    template_free(r->side_index);
    arena_free(r->arena);
    free(r);
}

#define LEVEL                                                                                                          \
    "{\"properties\":{\"views\":{\"type\":\"integer\"},\"unique_views\":{\"type\":\"integer\"},"                       \
    "\"downloads\":{\"type\":\"integer\"},\"unique_downloads\":{\"type\":\"integer\"},"                                \
    "\"data_volume\":{\"type\":\"double\"}}}"

static bool record_stats_install(struct handler *h, struct error *err)
{
    static const char body[] = "{\"settings\":{\"index\":{\"refresh_interval\":\"5s\"}},\"mappings\":{\"properties\":{"
                               "\"id\":{\"type\":\"keyword\"},\"parent\":{\"type\":\"keyword\"},"
                               "\"updated_timestamp\":{\"type\":\"date\"},\"stats\":{\"properties\":{"
                               "\"this_version\":" LEVEL ",\"all_versions\":" LEVEL "}}}}}";
    struct record_stats *r = h->state;

    return !r->side_index || handler_install_template(h, r->side_index, body, err);
}

/* ------------------------------------------------------------------------------------------------------ one page */

/* Like search_refresh, but a missing index is a mistake: marks would be settled without any effect. */
static bool refresh_records(struct handler *h, const char *index, struct error *err)
{
    struct buf path = BUF_INIT;
    json_t *answer;
    bool missing, ok;

    buf_add_char(&path, '/');
    http_add_segment(&path, client_prefix(h->client), strlen(client_prefix(h->client)));
    http_add_segment(&path, index, strlen(index));
    buf_add_text(&path, "/_refresh");
    ok = client_json(h->client, "POST", path.data, NULL, &answer, &missing, err);
    if (ok && missing)
        ok = error_set(err, ERROR_AGAIN, "there is no index %s%s of record documents (index = ...)",
                       client_prefix(h->client), index);
    json_decref(answer);
    buf_release(&path);
    return ok;
}

/* Marks were taken before: whatever they stand for is visible after a refresh. */
static bool read_totals(struct handler *h, struct page *p, struct error *err)
{
    struct record_stats *r = h->state;

    p->usage.taken_us = clock_wall_us();
    for (size_t i = 0; i < r->source_count; i++) {
        const struct totals_source *s = &r->sources[i];
        bool missing;

        if (!search_refresh(h->client, s->index, err) ||
            !totals_add(s, h->client, p->usage.parents, p->usage.records, &missing, err))
            return false;
        if (s->is_downloads)
            p->usage.known.downloads = !missing;
        else
            p->usage.known.views = !missing;
    }
    return true;
}

static json_t *documents_query(const struct record_stats *r, const struct page *p)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < usage_map_count(p->usage.parents); i++) {
        struct span key = usage_map_at(p->usage.parents, i)->key;

        json_array_append_new(ids, json_stringn(key.text, key.length));
    }
    return json_pack("{s:{s:[{s:{s:o}}]}}", "bool", "filter", "terms", r->options->parent_field, ids);
}

static bool write_documents(struct handler *h, struct page *p, struct clock_run *run, struct error *err)
{
    struct record_stats *r = h->state;
    json_t *query = documents_query(r, p);
    struct search *search = search_open(h->client, r->options->index, query, HITS_A_PAGE);
    const json_t *hits = NULL;
    bool ok;

    search_fields(search, record_writer_fields(r->writer));
    do
        ok = run->may_go_on(run, err) && search_next(search, &hits, err) &&
             (!hits || record_writer_bring(r->writer, &p->usage, hits, run, p->trouble, err));
    while (ok && hits);
    search_close(search);
    json_decref(query);
    return ok;
}

/* Those whose documents are durable are done; the others go behind all that wait, so that they hold nobody up. */
static bool settle(struct handler *h, const struct page *p, const struct taken *t, struct error *err)
{
    struct record_stats *r = h->state;
    struct dirty_mark *done = arena_alloc(r->arena, (t->count + 1) * sizeof *done);
    struct dirty_mark *failed = arena_alloc(r->arena, (t->count + 1) * sizeof *failed);
    size_t done_count = 0, failed_count = 0;

    for (size_t i = 0; i < t->count; i++)
        if (usage_map_find(p->usage.parents, t->marks[i].key)->failed)
            failed[failed_count++] = t->marks[i];
        else
            done[done_count++] = t->marks[i];
    return (!done_count || dirty_settle(h->redis, t->queue, h->common->name, done, done_count, err)) &&
           (!failed_count || dirty_mark(h->redis, t->queue, h->common->name, failed, failed_count, err));
}

static bool work_page(struct handler *h, struct page *p, struct clock_run *run, struct error *err)
{
    struct record_stats *r = h->state;

    if (!refresh_records(h, r->options->index, err) || !read_totals(h, p, err))
        return false;
    if ((p->usage.known.views || p->usage.known.downloads) && !write_documents(h, p, run, err))
        return false;
    for (size_t i = 0; i < r->queue_count; i++)
        if (!settle(h, p, &p->taken[i], err))
            return false;
    run->did(run, (int64_t)usage_map_count(p->usage.parents));
    return true;
}

/* ------------------------------------------------------------------------------------------------------- the run */

/* left: how many of each queue this run may still take. */
static bool take_page(struct handler *h, struct page *p, int64_t left[SOURCES_MOST], struct error *err)
{
    struct record_stats *r = h->state;

    arena_reset(r->arena);
    p->usage = (struct usage_page){.parents = usage_map_new(r->arena), .records = usage_map_new(r->arena)};
    for (size_t i = 0; i < r->queue_count; i++) {
        struct taken *t = &p->taken[i];
        size_t most = (size_t)(left[i] < r->options->page ? left[i] : r->options->page);

        t->queue = r->queues[i];
        if (!dirty_page(h->redis, t->queue, h->common->name, most, r->arena, &t->marks, &t->count, err))
            return false;
        left[i] = t->count > 0 ? left[i] - (int64_t)t->count : 0;
        for (size_t m = 0; m < t->count; m++)
            usage_map_enter(p->usage.parents, t->marks[m].key);
    }
    return true;
}

/* All that is marked when it begins: what fails, or is marked anew, is the next run's. */
static bool record_stats_run(struct handler *h, struct clock_run *run, struct error *err)
{
    struct record_stats *r = h->state;
    struct error trouble = ERROR_INIT;
    struct page p = {.trouble = &trouble};
    int64_t left[SOURCES_MOST] = {0};

    for (size_t i = 0; i < r->queue_count; i++)
        if (!dirty_count(h->redis, r->queues[i], h->common->name, &left[i], err))
            return false;
    do {
        if (!run->may_go_on(run, err) || !take_page(h, &p, left, err))
            return false;
        if (usage_map_count(p.usage.parents) > 0 && !work_page(h, &p, run, err))
            return false;
    } while (usage_map_count(p.usage.parents) > 0);
    if (trouble.kind == ERROR_NONE)
        return true;
    *err = trouble;
    return false;
}

const struct handler_type record_stats_handler = {
    .name = "record-stats",
    .help = "the totals of changed records are brought into the platform's record documents",
    .keys = keys,
    .size = sizeof(struct record_stats_options),
    .traits = KIND_CLOCK | KIND_ONE_LANE,
    .check = record_stats_check,
    .fits = record_stats_fits,
    .install = record_stats_install,
    .open = record_stats_open,
    .run = record_stats_run,
    .close = record_stats_close,
};
