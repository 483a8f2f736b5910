#include "handlers/aggregate/aggregate_walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/aggregate/composite.h"

enum { KEYS_TOGETHER = 5000, INTERVALS_TOGETHER = 1000 };

struct walk {
    struct aggregation *aggregation;
    const char *index, *time_field;
    const json_t *narrow;
    struct clock_run *run;
    walk_visit visit;
    void *context;
    struct arena *arena;
    int64_t interval_us;
};

static enum aggregate_interval interval_of(const struct aggregation *a)
{
    return (enum aggregate_interval)a->options->interval;
}

/* -------------------------------------------------------------------------------------------------- queries */

static json_t *range_query(const char *field, struct time_range range)
{
    return json_pack("{s:{s:{s:I, s:I, s:s}}}", "range", field, "gte", (json_int_t)(range.from_us / 1000), "lt",
                     (json_int_t)(range.to_us / 1000), "format", "epoch_millis");
}

static struct time_range whole_intervals(const struct aggregation *a, struct time_range range)
{
    enum aggregate_interval i = interval_of(a);
    int64_t last_us = aggregate_interval_start(i, range.to_us - 1);

    if (range.to_us <= range.from_us)
        return (struct time_range){range.from_us, range.from_us};
    return (struct time_range){aggregate_interval_start(i, range.from_us), aggregate_interval_next(i, last_us)};
}

json_t *aggregate_range_query(const struct aggregation *a, struct time_range range)
{
    return range_query(a->options->time_field, whole_intervals(a, range));
}

static json_t *walk_query(const struct walk *w, struct time_range range)
{
    json_t *filter = json_pack("[o]", range_query(w->time_field, range));

    if (w->narrow)
        json_array_append(filter, (json_t *)(uintptr_t)w->narrow);
    return json_pack("{s:{s:o}}", "bool", "filter", filter);
}

/* ------------------------------------------------------------------------------------------ keys of an interval */

static bool visit_keys(void *context, const json_t *buckets, struct error *err)
{
    struct walk *w = context;
    struct buf scratch = BUF_INIT;
    struct dirty_mark *keys;
    size_t count = 0, i;
    const json_t *bucket;

    arena_reset(w->arena);
    keys = arena_alloc(w->arena, json_array_size(buckets) * sizeof *keys);
    json_array_foreach((json_t *)(uintptr_t)buckets, i, bucket)
    {
        const char *text = json_scalar_text(json_object_get(json_object_get(bucket, "key"), "k"), &scratch);

        if (text && *text)
            keys[count++] =
                (struct dirty_mark){.key = span_of(arena_text(w->arena, text)), .interval_us = w->interval_us};
    }
    buf_release(&scratch);
    return (!w->run || w->run->may_go_on(w->run, err)) && (count == 0 || w->visit(w->context, keys, count, err));
}

static bool walk_keys(struct walk *w, struct error *err)
{
    struct aggregation *a = w->aggregation;
    json_t *sources = json_pack("[o]", composite_terms("k", a->options->field, false));
    json_t *query =
        walk_query(w, (struct time_range){w->interval_us, aggregate_interval_next(interval_of(a), w->interval_us)});
    bool ok = composite_each(
        a->handler->client,
        &(struct composite){
            .index = w->index, .query = query, .sources = sources, .size = KEYS_TOGETHER, .may_be_missing = true},
        visit_keys, w, err);

    json_decref(query);
    json_decref(sources);
    return ok;
}

/* -------------------------------------------------------------------------------------- intervals with documents */

struct intervals {
    int64_t *starts_us;
    size_t count;
};

static bool note_intervals(void *context, const json_t *buckets, struct error *err)
{
    struct intervals *found = context;
    const json_t *bucket;
    size_t i;

    (void)err;
    found->starts_us = xrealloc(found->starts_us, (found->count + json_array_size(buckets)) * sizeof(int64_t));
    json_array_foreach((json_t *)(uintptr_t)buckets, i, bucket)
    {
        const json_t *start = json_object_get(json_object_get(bucket, "key"), "t");

        found->starts_us[found->count++] = json_integer_value(start) * 1000;
    }
    return true;
}

static bool find_intervals(struct walk *w, struct time_range range, struct intervals *found, struct error *err)
{
    struct aggregation *a = w->aggregation;
    json_t *query = walk_query(w, whole_intervals(a, range));
    json_t *sources = json_pack("[{s:{s:{s:s, s:s}}}]", "t", "date_histogram", "field", w->time_field,
                                "calendar_interval", aggregate_interval_name(interval_of(a)));
    bool ok = composite_each(
        a->handler->client,
        &(struct composite){
            .index = w->index, .query = query, .sources = sources, .size = INTERVALS_TOGETHER, .may_be_missing = true},
        note_intervals, found, err);

    json_decref(query);
    json_decref(sources);
    return ok;
}

static bool walk(struct walk *w, struct time_range range, struct error *err)
{
    struct intervals found = {0};
    bool ok = find_intervals(w, range, &found, err);

    w->arena = arena_new();
    for (size_t i = 0; ok && i < found.count; i++) {
        w->interval_us = found.starts_us[i];
        ok = walk_keys(w, err);
    }
    arena_free(w->arena);
    free(found.starts_us);
    return ok;
}

bool aggregate_walk_events(struct aggregation *a, struct time_range range, const json_t *narrow, struct clock_run *run,
                           walk_visit visit, void *context, struct error *err)
{
    return walk(&(struct walk){.aggregation = a,
                               .index = a->source.data,
                               .time_field = a->of->time_field,
                               .narrow = narrow,
                               .run = run,
                               .visit = visit,
                               .context = context},
                range, err);
}

bool aggregate_walk_aggregates(struct aggregation *a, struct time_range range, struct clock_run *run, walk_visit visit,
                               void *context, struct error *err)
{
    return walk(&(struct walk){.aggregation = a,
                               .index = a->target.data,
                               .time_field = a->options->time_field,
                               .run = run,
                               .visit = visit,
                               .context = context},
                range, err);
}

bool aggregate_first_interval(struct aggregation *a, int64_t *start_us, struct error *err)
{
    json_t *body = json_pack("{s:i, s:{s:{s:{s:s}}}}", "size", 0, "aggs", "first", "min", "field", a->of->time_field);
    json_t *answer = NULL;
    const json_t *first;

    *start_us = INT64_MAX;
    if (!search_once(a->handler->client, a->source.data, body, true, &answer, err))
        return false;
    first = json_object_get(json_object_get(json_object_get(answer, "aggregations"), "first"), "value");
    if (json_is_number(first))
        *start_us = aggregate_interval_start(interval_of(a), (int64_t)json_number_value(first) * 1000);
    json_decref(answer);
    return true;
}
