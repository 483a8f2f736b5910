#include "handlers/record_stats/totals.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/aggregate.h"
#include "handlers/metric.h"
#include "notifier/template.h"

enum { BUCKETS_A_PAGE = 2000 };

static char *index_of(const struct aggregate_options *o)
{
    struct buf index = BUF_INIT;
    struct template *t = NULL;
    struct error err;

    if (*o->alias)
        buf_add_text(&index, o->alias);
    else if ((t = template_new(o->index, &err))) /* checked with the configuration */
        template_add_glob(t, &index);
    template_free(t);
    return buf_take(&index);
}

bool totals_source_init(struct totals_source *s, const struct settings *settings, const char *handler,
                        bool is_downloads, struct error *err)
{
    const struct handler_settings *hs = handler_named(settings, handler, &aggregate_handler, err);
    const struct aggregate_options *o = hs ? hs->own : NULL;
    struct metrics metrics;

    if (!o)
        return false;
    if (!*o->record || !metrics_parse(o->metrics, &metrics, err))
        return error_set(err, ERROR_CONFIG, "handler %s: record names no field", handler);
    *s = (struct totals_source){.handler = handler,
                                .time = o->time_field,
                                .record = o->record,
                                .parent = *o->parent ? o->parent : o->record,
                                .count = o->count_field,
                                .is_downloads = is_downloads};
    s->index = index_of(o);
    for (size_t i = 0; i < metrics.count; i++) {
        const struct metric *m = &metrics.items[i];

        if (!s->unique && (m->function == METRIC_CARDINALITY || m->function == METRIC_UNIQUE))
            s->unique = xstrdup(m->name);
        else if (!s->volume && m->function == METRIC_SUM)
            s->volume = xstrdup(m->name);
    }
    metrics_release(&metrics);
    return true;
}

void totals_source_release(struct totals_source *s)
{
    free(s->index);
    free(s->unique);
    free(s->volume);
    *s = (struct totals_source){0};
}

/* -------------------------------------------------------------------------------------------------- the search */

static json_t *parents_query(const struct totals_source *s, const struct usage_map *parents)
{
    json_t *ids = json_array();

    for (size_t i = 0; i < usage_map_count(parents); i++) {
        struct span key = usage_map_at(parents, i)->key;

        json_array_append_new(ids, json_stringn(key.text, key.length));
    }
    return json_pack("{s:{s:[{s:{s:o}}]}}", "bool", "filter", "terms", s->parent, ids);
}

static void add_sum(json_t *aggs, const char *name, const char *field)
{
    if (field)
        json_object_set_new(aggs, name, json_pack("{s:{s:s}}", "sum", "field", field));
}

/* A bucket for each record of each parent, in the order of their ids; after: where the last page ended, or NULL. */
static json_t *make_request(const struct totals_source *s, json_t *query, json_t *after)
{
    json_t *sums = json_object(), *composite;

    add_sum(sums, "count", s->count);
    add_sum(sums, "unique", s->unique);
    add_sum(sums, "volume", s->volume);
    composite = json_pack("{s:i, s:[{s:{s:{s:s}}}, {s:{s:{s:s}}}]}", "size", BUCKETS_A_PAGE, "sources", "parent",
                          "terms", "field", s->parent, "record", "terms", "field", s->record);
    if (after)
        json_object_set(composite, "after", after);
    return json_pack("{s:i, s:b, s:O, s:{s:{s:o, s:o}}}", "size", 0, "track_total_hits", 0, "query", query, "aggs",
                     "records", "composite", composite, "aggs", sums);
}

static bool ask(const struct totals_source *s, struct client *c, const json_t *request, json_t **answer, bool *missing,
                struct error *err)
{
    struct buf path = BUF_INIT;
    bool ok;

    buf_add_char(&path, '/');
    http_add_segment(&path, client_prefix(c), strlen(client_prefix(c)));
    http_add_segment(&path, s->index, strlen(s->index));
    buf_add_text(&path, "/_search?allow_partial_search_results=false");
    ok = client_json(c, "POST", path.data, request, answer, missing, err);
    if (ok && !*missing && json_is_true(json_object_get(*answer, "timed_out"))) {
        ok = error_set(err, ERROR_AGAIN, "the search takes too long");
        json_decref(*answer);
        *answer = NULL;
    }
    buf_release(&path);
    return ok;
}

/* -------------------------------------------------------------------------------------------------- its answer */

static double sum_of(const json_t *bucket, const char *name)
{
    return json_number_value(json_object_get(json_object_get(bucket, name), "value"));
}

/* A sum of whole numbers, which comes as a double. */
static int64_t whole(double sum)
{
    return (int64_t)(sum + 0.5);
}

static void add_usage(const struct totals_source *s, struct usage *u, const json_t *bucket)
{
    int64_t count = whole(sum_of(bucket, "count")), unique = whole(sum_of(bucket, "unique"));

    if (s->is_downloads) {
        u->downloads += count;
        u->unique_downloads += unique;
        u->data_volume += sum_of(bucket, "volume");
    } else {
        u->views += count;
        u->unique_views += unique;
    }
}

static void add_bucket(const struct totals_source *s, const json_t *bucket, struct usage_map *parents,
                       struct usage_map *records)
{
    const json_t *key = json_object_get(bucket, "key");
    struct buf scratch = BUF_INIT;
    const char *parent = json_scalar_text(json_object_get(key, "parent"), &scratch), *record;
    struct usage_entry *of_parent = parent ? usage_map_find(parents, span_of(parent)) : NULL;

    if (of_parent) {
        add_usage(s, &of_parent->usage, bucket);
        record = json_scalar_text(json_object_get(key, "record"), &scratch);
        if (record)
            add_usage(s, &usage_map_enter(records, span_of(record))->usage, bucket);
    }
    buf_release(&scratch);
}

static bool add_page(const struct totals_source *s, const json_t *answer, struct usage_map *parents,
                     struct usage_map *records, json_t **after, struct error *err)
{
    const json_t *found = json_at(answer, "aggregations.records"), *buckets = json_object_get(found, "buckets");
    const json_t *bucket;
    size_t i;

    if (!json_is_array(buckets))
        return error_set(err, ERROR_AGAIN, "OpenSearch answers without the sums");
    json_array_foreach(buckets, i, bucket) add_bucket(s, bucket, parents, records);
    json_decref(*after);
    *after = json_array_size(buckets) < BUCKETS_A_PAGE ? NULL : json_incref(json_object_get(found, "after_key"));
    return true;
}

/* A pattern that no index fits is answered without any shard. */
static bool has_no_shards(const json_t *answer)
{
    const json_t *total = json_at(answer, "_shards.total");

    return total && json_integer_value(total) == 0;
}

bool totals_add(const struct totals_source *s, struct client *c, struct usage_map *parents, struct usage_map *records,
                bool *missing, struct error *err)
{
    json_t *query = parents_query(s, parents), *after = NULL;
    bool ok;

    do {
        json_t *request = make_request(s, query, after), *answer = NULL;

        ok = ask(s, c, request, &answer, missing, err);
        *missing = ok && (*missing || has_no_shards(answer));
        ok = ok && (*missing || add_page(s, answer, parents, records, &after, err));
        json_decref(request);
        json_decref(answer);
    } while (ok && !*missing && after);
    json_decref(query);
    json_decref(after);
    if (!ok)
        err->kind = ERROR_AGAIN;
    return ok || error_in(err, "sums of %s", s->handler);
}
