#include "handlers/query/statistic.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "handlers/metric.h"

enum { BUCKETS_MOST = 10000, LEVELS_MOST = 4, PARAMETER_BYTES_MOST = 1024 };

/* Names of aggregations that no metric can have, as a metric's name begins otherwise. */
#define LATEST  "_latest"
#define BUCKETS "_buckets"

struct statistic {
    const struct query_settings *settings;
    struct metrics metrics;
    struct renames required, copy, group;
};

/* ------------------------------------------------------------------------------------------------- the section */

static bool fits_together(const struct statistic *s, struct error *err)
{
    for (size_t i = 0; i < s->metrics.count; i++) {
        if (s->metrics.items[i].function == METRIC_UNIQUE)
            return error_set(err, ERROR_CONFIG, "metrics: \"%s\": unique() is for aggregations; here cardinality() is",
                             s->metrics.items[i].name);
        if (s->metrics.items[i].name[0] == '_')
            return error_set(err, ERROR_CONFIG, "metrics: \"%s\" begins with \"_\"", s->metrics.items[i].name);
    }
    if (s->settings->kind == QUERY_HISTOGRAM && s->group.count > 0)
        return error_set(err, ERROR_CONFIG, "group: only a query of kind terms is divided into buckets");
    if (s->group.count > LEVELS_MOST)
        return error_set(err, ERROR_CONFIG, "group: more than %d fields", LEVELS_MOST);
    return s->metrics.count > 0 || error_set(err, ERROR_CONFIG, "metrics: none is given");
}

struct statistic *statistic_new(const struct query_settings *q, struct error *err)
{
    struct statistic *s = xcalloc(1, sizeof *s);

    s->settings = q;
    if ((metrics_parse(q->metrics, &s->metrics, err) || error_in(err, "metrics")) &&
        (renames_parse(q->required, &s->required, err) || error_in(err, "required")) &&
        (renames_parse(q->copy, &s->copy, err) || error_in(err, "copy")) &&
        (renames_parse(q->group, &s->group, err) || error_in(err, "group")) && fits_together(s, err))
        return s;
    statistic_free(s);
    return NULL;
}

void statistic_free(struct statistic *s)
{
    if (!s)
        return;
    metrics_release(&s->metrics);
    renames_release(&s->required);
    renames_release(&s->copy);
    renames_release(&s->group);
    free(s);
}

const char *statistic_name(const struct statistic *s)
{
    return s->settings->name;
}

const char *statistic_index(const struct statistic *s)
{
    return s->settings->index;
}

bool statistic_check(const void *query_settings, struct error *err)
{
    struct statistic *s = statistic_new(query_settings, err);

    statistic_free(s);
    return s != NULL;
}

/* ---------------------------------------------------------------------------------------------- what is asked for */

/* A date that is null or empty counts as not given. */
static bool take_date(const struct statistic *s, const json_t *params, const char *name, bool *given,
                      struct moment *out, struct error *err)
{
    const json_t *value = json_object_get(params, name);

    *given = value && !json_is_null(value) && !(json_is_string(value) && json_string_length(value) == 0);
    if (!*given)
        return true;
    return (json_is_string(value) && moment_parse(json_string_value(value), out)) ||
           error_set(err, ERROR_INPUT,
                     "Statistic '%s': %s is no date; write YYYY-MM-DD or YYYY-MM-DDThh:mm:ss, from 1970 on",
                     s->settings->name, name);
}

static bool take_interval(const struct statistic *s, struct asked *out, struct error *err)
{
    static const char *const intervals[] = {"year", "quarter", "month", "week", "day"};
    const json_t *value = json_object_get(out->params, "interval");
    const char *text = value ? json_string_value(value) : "day";

    for (size_t i = 0; text && i < ARRAY_LENGTH(intervals); i++)
        if (strcmp(text, intervals[i]) == 0)
            out->interval = intervals[i];
    return out->interval ||
           error_set(err, ERROR_INPUT, "Statistic '%s': interval must be year, quarter, month, week or day",
                     s->settings->name);
}

static bool is_scalar(const json_t *value)
{
    return json_is_number(value) || json_is_boolean(value) ||
           (json_is_string(value) && json_string_length(value) <= PARAMETER_BYTES_MOST);
}

static bool has_required(const struct statistic *s, const json_t *params, struct error *err)
{
    for (size_t i = 0; i < s->required.count; i++) {
        const char *name = s->required.items[i].to;
        const json_t *value = json_object_get(params, name);

        if (!value)
            return error_set(err, ERROR_INPUT, "Statistic '%s': the required parameter %s is missing",
                             s->settings->name, name);
        if (!is_scalar(value))
            return error_set(err, ERROR_INPUT, "Statistic '%s': %s must be a string of at most %d bytes or a number",
                             s->settings->name, name, PARAMETER_BYTES_MOST);
    }
    return true;
}

bool statistic_ask(const struct statistic *s, const json_t *params, struct asked *out, struct error *err)
{
    *out = (struct asked){.params = params};
    return take_date(s, params, "start_date", &out->has_start, &out->start, err) &&
           take_date(s, params, "end_date", &out->has_end, &out->end, err) &&
           (s->settings->kind != QUERY_HISTOGRAM || take_interval(s, out, err)) && has_required(s, params, err);
}

/* -------------------------------------------------------------------------------------------------- the search */

/* In whole seconds: more is not in every template's format of a time. */
static void add_bound(json_t *range, const char *name, int64_t us)
{
    char text[TIME_TEXT_BYTES];

    time_format(us, "%Y-%m-%dT%H:%M:%S", text, sizeof text);
    json_object_set_new(range, name, json_string(text));
}

static json_t *make_query(const struct statistic *s, const struct asked *a)
{
    json_t *filter = json_array(), *range = json_object();

    if (a->has_start)
        add_bound(range, "gte", a->start.us);
    if (a->has_end)
        add_bound(range, "lte", a->end.us);
    if (json_object_size(range) > 0)
        json_array_append_new(filter, json_pack("{s:{s:O}}", "range", s->settings->time_field, range));
    for (size_t i = 0; i < s->required.count; i++)
        json_array_append_new(filter, json_pack("{s:{s:O}}", "term", s->required.items[i].from,
                                                json_object_get(a->params, s->required.items[i].to)));
    json_decref(range);
    return json_pack("{s:{s:o}}", "bool", "filter", filter);
}

static void add_latest(const struct statistic *s, json_t *aggs)
{
    json_t *fields;

    if (s->copy.count == 0)
        return;
    fields = json_array();
    for (size_t i = 0; i < s->copy.count; i++)
        json_array_append_new(fields, json_string(s->copy.items[i].from));
    json_object_set_new(aggs, LATEST,
                        json_pack("{s:{s:i, s:o, s:[{s:s}]}}", "top_hits", "size", 1, "_source", fields, "sort",
                                  s->settings->time_field, "desc"));
}

/* The buckets of the level-th field of group, with those of the next within. */
static void add_group(const struct statistic *s, json_t *aggs, size_t level)
{
    json_t *inner;

    metrics_add_aggregations(&s->metrics, 0, aggs);
    if (level == s->group.count)
        return;
    inner = json_object();
    add_group(s, inner, level + 1);
    json_object_set_new(aggs, BUCKETS,
                        json_pack("{s:{s:s, s:i}, s:o}", "terms", "field", s->group.items[level].from, "size",
                                  BUCKETS_MOST, "aggs", inner));
}

static void add_histogram(const struct statistic *s, const struct asked *a, json_t *aggs)
{
    json_t *inner = json_object();

    metrics_add_aggregations(&s->metrics, 0, inner);
    add_latest(s, inner);
    json_object_set_new(aggs, BUCKETS,
                        json_pack("{s:{s:s, s:s}, s:o}", "date_histogram", "field", s->settings->time_field,
                                  "calendar_interval", a->interval, "aggs", inner));
}

json_t *statistic_search(const struct statistic *s, const struct asked *a)
{
    json_t *aggs = json_object();

    if (s->settings->kind == QUERY_HISTOGRAM) {
        add_histogram(s, a, aggs);
    } else {
        add_group(s, aggs, 0);
        add_latest(s, aggs);
    }
    return json_pack("{s:i, s:b, s:o, s:o}", "size", 0, "track_total_hits", 0, "query", make_query(s, a), "aggs", aggs);
}

/* -------------------------------------------------------------------------------------------------- the result */

/* False: the answer lacks a metric. */
static bool add_metrics(const struct statistic *s, const json_t *from, json_t *result)
{
    for (size_t i = 0; i < s->metrics.count; i++) {
        json_t *value = json_object_get(json_object_get(from, s->metrics.items[i].name), "value");

        if (!value)
            return false;
        json_object_set(result, s->metrics.items[i].name, value);
    }
    return true;
}

/* What the latest document lacks is left out. */
static void add_copies(const struct statistic *s, const json_t *from, json_t *result)
{
    const json_t *hits = json_at(json_object_get(from, LATEST), "hits.hits");
    const json_t *document = json_object_get(json_array_get(hits, 0), "_source");

    for (size_t i = 0; i < s->copy.count; i++) {
        json_t *value = json_at(document, s->copy.items[i].from);

        if (value)
            json_object_set(result, s->copy.items[i].to, value);
    }
}

static const json_t *buckets_of(const json_t *from)
{
    return json_object_get(json_object_get(from, BUCKETS), "buckets");
}

static bool add_levels(const struct statistic *s, const json_t *from, json_t *result, size_t level)
{
    const json_t *bucket;
    json_t *list;
    size_t i;

    if (!add_metrics(s, from, result))
        return false;
    if (level == s->group.count)
        return true;
    json_object_set_new(result, "type", json_string("bucket"));
    json_object_set_new(result, "field", json_string(s->group.items[level].from));
    json_object_set_new(result, "key_type", json_string("terms"));
    json_object_set_new(result, "buckets", list = json_array());
    json_array_foreach(buckets_of(from), i, bucket)
    {
        json_t *one = json_object();

        json_object_set(one, "key", json_object_get(bucket, "key"));
        json_array_append_new(list, one);
        if (!add_levels(s, bucket, one, level + 1))
            return false;
    }
    return json_is_array(buckets_of(from));
}

static bool add_dates(const struct statistic *s, const json_t *from, json_t *result)
{
    const json_t *bucket;
    json_t *list;
    size_t i;

    json_object_set_new(result, "buckets", list = json_array());
    json_array_foreach(buckets_of(from), i, bucket)
    {
        json_t *one = json_object();

        json_object_set(one, "key", json_object_get(bucket, "key"));
        json_object_set(one, "date", json_object_get(bucket, "key_as_string"));
        json_array_append_new(list, one);
        if (!add_metrics(s, bucket, one))
            return false;
        add_copies(s, bucket, one);
    }
    return true;
}

static void add_range(const struct asked *a, json_t *result)
{
    json_object_set_new(result, "start_date", a->has_start ? json_string(a->start.text) : json_null());
    json_object_set_new(result, "end_date", a->has_end ? json_string(a->end.text) : json_null());
}

json_t *statistic_result(const struct statistic *s, const struct asked *a, const json_t *answer, struct error *err)
{
    const json_t *from = json_object_get(answer, "aggregations");
    json_t *result = json_object();
    bool ok;

    if (s->settings->kind == QUERY_HISTOGRAM) {
        json_object_set_new(result, "interval", json_string(a->interval));
        json_object_set_new(result, "key_type", json_string("date"));
        add_range(a, result);
        ok = add_dates(s, from, result);
    } else {
        add_range(a, result);
        add_copies(s, from, result);
        ok = add_levels(s, from, result, 0);
    }
    if (ok)
        return result;
    json_decref(result);
    error_set(err, ERROR_AGAIN, "OpenSearch answers statistic '%s' without its numbers", s->settings->name);
    return NULL;
}

json_t *statistic_zeros(const struct statistic *s)
{
    json_t *result = json_object();

    for (size_t i = 0; i < s->metrics.count; i++)
        json_object_set_new(result, s->metrics.items[i].name, json_integer(0));
    return result;
}
