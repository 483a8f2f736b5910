#include "handlers/report/report_gather.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "handlers/clicks.h"
#include "handlers/report/report_month.h"
#include "handlers/statistics.h"
#include "indexer/search.h"

enum { PAGE_MOST = 8000, PAGE_LEAST = 100 };

/* The documents of a handler. */
struct source {
    char *index;            /* name, alias or pattern, without the prefix; NULL: there is none */
    char *index_whole;      /* with it */
    const char *time_field; /* lent */
};

struct gather {
    struct client *client;
    const struct gather_query *query;
    struct source views, downloads;
    struct buf path;
    struct usage *usage;
    struct progress *progress;
    int64_t page;
};

/* --------------------------------------------------------------------------------------------- where events are */

static bool source_find(const struct settings *s, const char *key, const char *name, const struct client *c,
                        struct source *out, struct error *err)
{
    const struct handler_settings *hs;
    const struct statistics_options *options;
    struct buf index = BUF_INIT, whole = BUF_INIT;

    if (!*name)
        return true;
    hs = handler_named(s, name, &statistics_handler, err);
    if (!hs)
        return error_in(err, "[report] %s", key);
    options = hs->own;
    statistics_add_source(hs, &index);
    buf_printf(&whole, "%s%s", client_prefix(c), index.data);
    out->time_field = options->time_field;
    out->index = buf_take(&index);
    out->index_whole = buf_take(&whole);
    return true;
}

static bool sources_find(struct gather *g, const struct settings *s, struct error *err)
{
    const struct report_settings *r = &s->report;

    if (!source_find(s, "views", r->views, g->client, &g->views, err) ||
        !source_find(s, "downloads", r->downloads, g->client, &g->downloads, err))
        return false;
    if (!g->views.index && !g->downloads.index)
        return error_set(err, ERROR_CONFIG, "[report] views and downloads name no handler whose events are reported");
    return true;
}

static void add_index(struct gather *g, const struct source *s)
{
    if (!s->index)
        return;
    if (g->path.length > 1)
        buf_add_char(&g->path, ',');
    http_add_segment(&g->path, s->index_whole, strlen(s->index_whole));
}

static void make_path(struct gather *g)
{
    buf_add_char(&g->path, '/');
    add_index(g, &g->views);
    add_index(g, &g->downloads);
    buf_add_text(&g->path, "/_search?ignore_unavailable=true&allow_partial_search_results=false&request_cache=false"
                           "&filter_path=aggregations");
}

/* What was acknowledged before is counted. */
static bool refresh(struct gather *g, struct error *err)
{
    return (!g->views.index || search_refresh(g->client, g->views.index, err)) &&
           (!g->downloads.index || search_refresh(g->client, g->downloads.index, err));
}

/* --------------------------------------------------------------------------------------------------- the search */

static json_t *is_true(const char *field)
{
    return json_pack("{s:{s:b}}", "term", field, 1);
}

/* Events of a source on a day. */
static json_t *of_source(const struct source *s, int64_t start_us, int64_t end_us)
{
    char start[TIME_TEXT_BYTES], end[TIME_TEXT_BYTES];

    return json_pack("{s:{s:[{s:{s:s}}, {s:{s:{s:s, s:s, s:s}}}]}}", "bool", "filter", "term", "_index", s->index_whole,
                     "range", s->time_field, "gte", time_text(start_us, start), "lt", time_text(end_us, end), "format",
                     "strict_date_optional_time");
}

static json_t *day_query(const struct gather *g, int64_t start_us, int64_t end_us)
{
    json_t *any = json_array(), *none = json_array();

    if (g->views.index)
        json_array_append_new(any, of_source(&g->views, start_us, end_us));
    if (g->downloads.index)
        json_array_append_new(any, of_source(&g->downloads, start_us, end_us));
    json_array_append_new(none, is_true("is_robot"));
    json_array_append_new(none, json_pack("{s:{s:b}}", "term", CLICKS_FIELD, 0));
    if (!g->query->machines)
        json_array_append_new(none, is_true("is_machine"));
    return json_pack("{s:{s:o, s:o, s:i}}", "bool", "should", any, "must_not", none, "minimum_should_match", 1);
}

/* Events without the field are a group of their own, except where it is the item. */
static void add_key(json_t *sources, const char *name, const char *field, bool may_miss)
{
    json_array_append_new(sources,
                          json_pack("{s:{s:{s:s, s:b}}}", name, "terms", "field", field, "missing_bucket", may_miss));
}

/* In the order that usage_add wants. */
static json_t *group_keys(const struct gather *g)
{
    json_t *keys = json_array();

    if (g->query->details)
        add_key(keys, "parent", "parent_recid", true);
    if (g->query->machines)
        add_key(keys, "machine", "is_machine", true);
    add_key(keys, "session", "unique_session_id", true);
    add_key(keys, "item", "recid", false);
    if (g->query->details) {
        add_key(keys, "file", "file_id", true);
        add_key(keys, "country", "country", true);
    }
    return keys;
}

static json_t *group_values(const struct gather *g)
{
    json_t *values = json_object();

    if (g->downloads.index)
        json_object_set_new(values, "requests",
                            json_pack("{s:{s:{s:s}}}", "filter", "term", "_index", g->downloads.index_whole));
    if (g->query->details) {
        json_object_set_new(values, "bytes", json_pack("{s:{s:s}}", "sum", "field", "size"));
        json_object_set_new(values, "largest", json_pack("{s:{s:s}}", "max", "field", "size"));
    }
    return values;
}

static json_t *page_request(const struct gather *g, const json_t *query, const json_t *after)
{
    json_t *composite = json_pack("{s:I, s:o}", "size", (json_int_t)g->page, "sources", group_keys(g));

    if (after)
        json_object_set(composite, "after", (json_t *)(uintptr_t)after);
    return json_pack("{s:i, s:b, s:O, s:{s:{s:o, s:o}}}", "size", 0, "track_total_hits", 0, "query", query, "aggs",
                     "groups", "composite", composite, "aggs", group_values(g));
}

/* A server that allows fewer groups in an answer gets smaller pages. */
static bool ask(struct gather *g, const json_t *query, const json_t *after, json_t **answer, struct error *err)
{
    for (;;) {
        json_t *request = page_request(g, query, after);
        bool ok = client_json(g->client, "POST", g->path.data, request, answer, NULL, err);

        json_decref(request);
        if (ok || err->kind != ERROR_INPUT || g->page <= PAGE_LEAST)
            return ok;
        g->page /= 2;
    }
}

/* -------------------------------------------------------------------------------------------------- the answer */

static int64_t whole(const json_t *value)
{
    double number = json_number_value(value);

    return number > 0 ? (int64_t)number : 0; /* the largest of nothing is null, or below zero */
}

static int64_t add_group(struct gather *g, const json_t *group)
{
    const json_t *key = json_object_get(group, "key"), *requests = json_object_get(group, "requests");
    const struct usage_bucket b = {
        .parent = json_member_text(key, "parent", NULL),
        .session = json_member_text(key, "session", NULL),
        .item = json_member_text(key, "item", ""),
        .file = json_member_text(key, "file", NULL),
        .country = json_member_text(key, "country", NULL),
        .machine = json_is_true(json_object_get(key, "machine")),
        .events = json_integer_value(json_object_get(group, "doc_count")),
        .requests = json_integer_value(json_object_get(requests, "doc_count")),
        .bytes = whole(json_object_get(json_object_get(group, "bytes"), "value")),
        .largest = whole(json_object_get(json_object_get(group, "largest"), "value")),
    };

    usage_add(g->usage, &b);
    return b.events;
}

/* *after: where the next page begins, the caller's; NULL: this was the last one. */
static bool add_page(struct gather *g, const json_t *answer, json_t **after, struct error *err)
{
    const json_t *groups = json_object_get(json_object_get(answer, "aggregations"), "groups");
    const json_t *buckets = json_object_get(groups, "buckets"), *group;
    int64_t events = 0;
    size_t i;

    json_decref(*after);
    *after = NULL;
    if (!groups)
        return true; /* no index is there */
    if (!json_is_array(buckets))
        return error_set(err, ERROR_AGAIN, "OpenSearch answers an aggregation without groups");
    json_array_foreach(buckets, i, group) events += add_group(g, group);
    progress_add(g->progress, events);
    if (json_array_size(buckets) > 0)
        *after = json_incref(json_object_get(groups, "after_key"));
    return true;
}

static bool gather_day(struct gather *g, int64_t start_us, int64_t end_us, struct error *err)
{
    json_t *query = day_query(g, start_us, end_us), *after = NULL, *answer;
    bool ok;

    do {
        ok = ask(g, query, after, &answer, err) && add_page(g, answer, &after, err);
        if (ok)
            json_decref(answer);
    } while (ok && after);
    json_decref(after);
    json_decref(query);
    return ok;
}

static bool gather_days(struct gather *g, struct error *err)
{
    const struct gather_query *q = g->query;
    const int64_t day_us = MS_PER_DAY * 1000;
    char day[DAY_TEXT_BYTES];

    for (int month = q->first; month <= q->last; month++)
        for (int64_t at = month_start_us(month); at < month_start_us(month + 1) && at < q->until_us; at += day_us) {
            usage_start_day(g->usage, month);
            if (!gather_day(g, at, at + day_us, err))
                return error_in(err, "usage of %s", day_text(at, day));
        }
    return true;
}

static void gather_release(struct gather *g)
{
    buf_release(&g->path);
    free(g->views.index);
    free(g->views.index_whole);
    free(g->downloads.index);
    free(g->downloads.index_whole);
}

struct usage *usage_gather(struct client *c, const struct settings *s, const struct gather_query *q,
                           struct progress *progress, struct error *err)
{
    struct gather g = {.client = c, .query = q, .path = BUF_INIT, .progress = progress, .page = PAGE_MOST};
    bool ok = sources_find(&g, s, err);

    g.usage = usage_new();
    if (ok) {
        make_path(&g);
        ok = refresh(&g, err) && gather_days(&g, err);
    }
    gather_release(&g);
    if (ok)
        return g.usage;
    usage_free(g.usage);
    return NULL;
}
