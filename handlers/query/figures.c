#include "handlers/query/figures.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/clicks.h"
#include "handlers/statistics.h"

enum { SHARD_BUCKETS = 10000 };

void figures_release(struct figures *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->items[i].key);
    free(f->items);
    *f = (struct figures)FIGURES_INIT;
}

static struct figure *add_figure(struct figures *f, const char *key)
{
    f->items = xrealloc(f->items, (f->count + 1) * sizeof *f->items);
    f->items[f->count] = (struct figure){.key = xstrdup(key)};
    return &f->items[f->count++];
}

/* -------------------------------------------------------------------------------------------------- the search */

static void add_bound(json_t *bounds, const char *name, bool given, int64_t us)
{
    char text[TIME_TEXT_BYTES];

    if (!given)
        return;
    time_format(us, "%Y-%m-%dT%H:%M:%S", text, sizeof text);
    json_object_set_new(bounds, name, json_string(text));
}

/* A bool query of that time; more filters and exceptions may be added to its two arrays. */
static json_t *range_query(const char *time_field, const struct time_range *range, json_t **filter, json_t **must_not)
{
    json_t *bounds = json_object();

    add_bound(bounds, "gte", range->from_us != time_range_all.from_us, range->from_us);
    add_bound(bounds, "lt", range->to_us != time_range_all.to_us, range->to_us);
    *filter = json_array();
    *must_not = json_array();
    if (json_object_size(bounds) > 0)
        json_array_append_new(*filter, json_pack("{s:{s:O}}", "range", time_field, bounds));
    json_decref(bounds);
    return json_pack("{s:{s:o, s:o}}", "bool", "filter", *filter, "must_not", *must_not);
}

/* query and aggs are used up. *answer NULL: no such index. */
static bool search(struct client *c, const char *index, json_t *query, json_t *aggs, json_t **answer, struct error *err)
{
    json_t *request = json_pack("{s:i, s:b, s:o, s:o}", "size", 0, "track_total_hits", 1, "query", query, "aggs", aggs);
    struct buf path = BUF_INIT;
    bool missing, ok;

    buf_add_char(&path, '/');
    http_add_segment(&path, client_prefix(c), strlen(client_prefix(c)));
    http_add_segment(&path, index, strlen(index));
    buf_add_text(&path, "/_search?allow_partial_search_results=false");
    ok = client_json(c, "POST", path.data, request, answer, &missing, err) || error_in(err, "search in %s", index);
    if (ok && json_is_true(json_object_get(*answer, "timed_out"))) {
        ok = error_set(err, ERROR_AGAIN, "search in %s: it takes too long", index);
        json_decref(*answer);
        *answer = NULL;
    }
    json_decref(request);
    buf_release(&path);
    return ok;
}

static json_t *sum_of(const char *field)
{
    return json_pack("{s:{s:s}}", "sum", "field", field);
}

static json_t *sums(const struct totals_source *s)
{
    json_t *aggs = json_object();

    json_object_set_new(aggs, "count", sum_of(s->count));
    if (s->unique)
        json_object_set_new(aggs, "unique", sum_of(s->unique));
    if (s->volume)
        json_object_set_new(aggs, "volume", sum_of(s->volume));
    return aggs;
}

/* ---------------------------------------------------------------------------------------------------- its answer */

static double value_of(const json_t *from, const char *name)
{
    return json_number_value(json_object_get(json_object_get(from, name), "value"));
}

/* A sum of whole numbers, which comes as a double. */
static int64_t whole(double sum)
{
    return (int64_t)(sum + 0.5);
}

static void add_sums(struct figures *out, const char *key, const json_t *bucket)
{
    struct figure *f = add_figure(out, key);

    f->count = whole(value_of(bucket, "count"));
    f->unique = whole(value_of(bucket, "unique"));
    f->volume = value_of(bucket, "volume");
}

static const json_t *buckets_of(const json_t *answer)
{
    return json_at(answer, "aggregations.by.buckets");
}

bool figures_top(struct client *c, const struct totals_source *s, const struct time_range *range, size_t most,
                 struct figures *out, struct error *err)
{
    json_t *filter, *must_not, *query = range_query(s->time, range, &filter, &must_not), *answer;
    json_t *by = json_pack("{s:s, s:I, s:i, s:{s:s}}", "field", s->record, "size", (json_int_t)most, "shard_size",
                           SHARD_BUCKETS, "order", "count", "desc");
    json_t *aggs = json_pack("{s:o, s:{s:o, s:o}}", "count", sum_of(s->count), "by", "terms", by, "aggs", sums(s));
    const json_t *bucket;
    size_t i;

    if (!search(c, s->index, query, aggs, &answer, err))
        return false;
    out->total = whole(value_of(json_object_get(answer, "aggregations"), "count"));
    json_array_foreach(buckets_of(answer), i, bucket)
    {
        struct buf scratch = BUF_INIT;
        const char *key = json_scalar_text(json_object_get(bucket, "key"), &scratch);

        add_sums(out, key ? key : "", bucket);
        buf_release(&scratch);
    }
    json_decref(answer);
    return true;
}

bool figures_history(struct client *c, const struct totals_source *s, const struct time_range *range, const char *id,
                     bool all_versions, const char *interval, struct figures *out, struct error *err)
{
    json_t *filter, *must_not, *query = range_query(s->time, range, &filter, &must_not), *answer;
    json_t *aggs = json_pack("{s:{s:{s:s, s:s, s:s}, s:o}}", "by", "date_histogram", "field", s->time,
                             "calendar_interval", interval, "format", "yyyy-MM-dd", "aggs", sums(s));
    const json_t *bucket;
    size_t i;

    json_array_append_new(filter, json_pack("{s:{s:s}}", "term", all_versions ? s->parent : s->record, id));
    if (!search(c, s->index, query, aggs, &answer, err))
        return false;
    json_array_foreach(buckets_of(answer), i, bucket)
    {
        add_sums(out, json_member_text(bucket, "key_as_string", ""), bucket);
        out->total += out->items[out->count - 1].count;
    }
    json_decref(answer);
    return true;
}

/* ------------------------------------------------------------------------------------------------------ of events */

/* Clicks that a later one replaced are documents, and no use. */
static json_t *events_query(const struct handler_settings *events, const struct time_range *range)
{
    const struct statistics_options *o = events->own;
    json_t *filter, *must_not, *query = range_query(o->time_field, range, &filter, &must_not);

    json_array_append_new(must_not, json_pack("{s:{s:b}}", "term", CLICKS_FIELD, 0));
    return query;
}

static bool search_events(struct client *c, const struct handler_settings *events, const struct time_range *range,
                          json_t *aggs, json_t **answer, struct error *err)
{
    struct buf index = BUF_INIT;
    bool ok;

    statistics_add_source(events, &index);
    ok = search(c, index.data, events_query(events, range), aggs, answer, err);
    buf_release(&index);
    return ok;
}

bool figures_values(struct client *c, const struct handler_settings *events, const struct time_range *range,
                    const char *field, size_t most, struct figures *out, struct error *err)
{
    json_t *aggs = json_pack("{s:{s:{s:s, s:I, s:i, s:s}}}", "by", "terms", "field", field, "size", (json_int_t)most,
                             "shard_size", SHARD_BUCKETS, "missing", "");
    const json_t *bucket;
    json_t *answer;
    size_t i;

    if (!search_events(c, events, range, aggs, &answer, err))
        return false;
    out->total = json_integer_value(json_at(answer, "hits.total.value"));
    json_array_foreach(buckets_of(answer), i, bucket) add_figure(out, json_member_text(bucket, "key", ""))->count =
        json_integer_value(json_object_get(bucket, "doc_count"));
    json_decref(answer);
    return true;
}

bool figures_agents(struct client *c, const struct handler_settings *events, const struct time_range *range,
                    struct figures *out, struct error *err)
{
    json_t *robots = json_pack("{s:{s:b}}", "term", "is_robot", 1);
    json_t *machines =
        json_pack("{s:{s:[{s:{s:b}}], s:[O]}}", "bool", "filter", "term", "is_machine", 1, "must_not", robots);
    json_t *aggs = json_pack("{s:{s:o}, s:{s:o}}", "robots", "filter", robots, "machines", "filter", machines), *answer;
    int64_t of_robots, of_machines;

    if (!search_events(c, events, range, aggs, &answer, err))
        return false;
    out->total = json_integer_value(json_at(answer, "hits.total.value"));
    of_robots = json_integer_value(json_at(answer, "aggregations.robots.doc_count"));
    of_machines = json_integer_value(json_at(answer, "aggregations.machines.doc_count"));
    add_figure(out, "people")->count = out->total - of_robots - of_machines;
    add_figure(out, "machines")->count = of_machines;
    add_figure(out, "robots")->count = of_robots;
    json_decref(answer);
    return true;
}
