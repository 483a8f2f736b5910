#include "handlers/aggregate/aggregate_compute.h"

#include <stdlib.h>
#include <string.h>

#include "base/http.h"
#include "base/json.h"
#include "handlers/aggregate/aggregate_document.h"
#include "handlers/aggregate/composite.h"

enum {
    SLOW_KEYS = 500,       /* asked for together with their latest event */
    QUICK_PRECISION = 50,  /* of cardinalities, for keys with no more events: half the time of the usual 1000 */
    UNIQUE_BUCKETS = 10000 /* values of a field that are counted in one page */
};

/* Marks of one interval, at work. */
struct part {
    struct aggregation *aggregation;
    struct arena *arena;
    struct aggregate_result *results;
    size_t count;
    bool latest; /* copies are read from each key's latest event */
    size_t metric;
    struct buf scratch, document;
};

/* ---------------------------------------------------------------------------------------------------- order */

static int compare_keys(struct span a, struct span b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = memcmp(a.text, b.text, shorter);

    return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_marks(const void *one, const void *other)
{
    const struct dirty_mark *a = one, *b = other;

    if (a->interval_us != b->interval_us)
        return a->interval_us < b->interval_us ? -1 : 1;
    return compare_keys(a->key, b->key);
}

void aggregate_sort(struct dirty_mark *marks, size_t count)
{
    if (count > 1)
        qsort(marks, count, sizeof *marks, compare_marks);
}

static int compare_to_result(const void *key, const void *result)
{
    return compare_keys(*(const struct span *)key, ((const struct aggregate_result *)result)->mark.key);
}

/* Events may have several values where one is meant: a bucket of a key nobody asked for is nobody's. */
static struct aggregate_result *find_result(struct part *p, const json_t *bucket)
{
    const char *text = json_scalar_text(json_object_get(json_object_get(bucket, "key"), "k"), &p->scratch);
    struct span key;

    if (!text)
        return NULL;
    key = span_of(text);
    return bsearch(&key, p->results, p->count, sizeof *p->results, compare_to_result);
}

/* -------------------------------------------------------------------------------------------------- requests */

/* wanted: which of the part; NULL: all. */
static json_t *part_query(const struct part *p, const struct aggregate_result *const *wanted, size_t count,
                          struct error *err)
{
    const struct aggregation *a = p->aggregation;
    int64_t start_us = p->results[0].mark.interval_us;
    json_t *keys = json_array(), *filter = json_array(), *must_not = json_array();

    for (size_t i = 0; i < count; i++) {
        struct span key = wanted ? wanted[i]->mark.key : p->results[i].mark.key;

        json_array_append_new(keys, json_stringn(key.text, key.length));
    }
    json_array_append_new(
        filter,
        json_pack("{s:{s:{s:I, s:I, s:s}}}", "range", a->of->time_field, "gte", (json_int_t)(start_us / 1000), "lt",
                  (json_int_t)(aggregate_interval_next((enum aggregate_interval)a->options->interval, start_us) / 1000),
                  "format", "epoch_millis"));
    json_array_append_new(filter, json_pack("{s:{s:o}}", "terms", a->options->field, keys));
    if (!aggregate_add_where(a->options->where, filter, must_not, err)) {
        json_decref(filter);
        json_decref(must_not);
        return NULL;
    }
    return json_pack("{s:{s:o, s:o}}", "bool", "filter", filter, "must_not", must_not);
}

static json_t *key_sources(const struct aggregation *a, bool with_copies)
{
    json_t *sources = json_array();
    char name[COPY_NAME_BYTES];

    json_array_append_new(sources, composite_terms("k", a->options->field, false));
    for (size_t i = 0; with_copies && i < a->copies.count; i++) {
        json_array_append_new(sources, composite_terms(aggregate_copy_name(i, name), a->copies.items[i].from, true));
    }
    return sources;
}

static json_t *latest_hit(const struct aggregation *a)
{
    json_t *fields = json_array();

    for (size_t i = 0; i < a->copies.count; i++)
        json_array_append_new(fields, json_string(a->copies.items[i].from));
    return json_pack("{s:{s:i, s:[{s:s}], s:o}}", "top_hits", "size", 1, "sort", a->of->time_field, "desc", "_source",
                     fields);
}

/* --------------------------------------------------------------------------------------------------- buckets */

static void make_document(struct part *p, struct aggregate_result *r, const json_t *bucket)
{
    json_t *doc = aggregate_document(p->aggregation, r->mark.interval_us, r->uniques, bucket, p->latest);

    buf_reset(&p->document);
    json_add(&p->document, doc);
    r->document.text = arena_copy(p->arena, p->document.data, p->document.length);
    r->document.length = p->document.length;
    r->parent = aggregate_parent(p->aggregation, doc, p->arena);
    json_decref(doc);
}

/* Only a value that the index holds as the event has it: neither missing nor null tells which of both it was. */
static bool copies_known(const struct part *p, const json_t *bucket)
{
    const json_t *key = json_object_get(bucket, "key");
    char name[COPY_NAME_BYTES];

    for (size_t i = 0; i < p->aggregation->copies.count; i++) {
        if (json_is_null(json_object_get(key, aggregate_copy_name(i, name))))
            return false;
    }
    return true;
}

static bool is_exact(const struct part *p, const json_t *bucket)
{
    return !metrics_need_precision(&p->aggregation->metrics, QUICK_PRECISION,
                                   json_integer_value(json_object_get(bucket, "doc_count")));
}

static void take_bucket(struct part *p, const json_t *bucket)
{
    struct aggregate_result *r = find_result(p, bucket);

    if (!r)
        return;
    if (!p->latest && (r->document.length || !copies_known(p, bucket) || !is_exact(p, bucket))) {
        r->again = true;
        r->document = SPAN_NONE;
    }
    if (p->latest || !r->again)
        make_document(p, r, bucket);
}

static bool take_buckets(void *context, const json_t *buckets, struct error *err)
{
    const json_t *bucket;
    size_t i;

    (void)err;
    json_array_foreach((json_t *)(uintptr_t)buckets, i, bucket)
    {
        take_bucket(context, bucket);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ the searches */

static bool ask(struct part *p, const struct aggregate_result *const *wanted, size_t count, struct error *err)
{
    struct aggregation *a = p->aggregation;
    json_t *query = part_query(p, wanted, count, err), *sources, *aggregations;
    bool ok;

    if (!query)
        return false;
    sources = key_sources(a, !p->latest);
    aggregations = json_object();
    metrics_add_aggregations(&a->metrics, p->latest ? 0 : QUICK_PRECISION, aggregations);
    if (p->latest && a->copies.count)
        json_object_set_new(aggregations, "latest", latest_hit(a));
    ok = composite_each(a->handler->client,
                        &(struct composite){.index = a->source.data,
                                            .query = query,
                                            .sources = sources,
                                            .aggregations = json_object_size(aggregations) ? aggregations : NULL,
                                            .size = count + 1},
                        take_buckets, p, err);
    json_decref(query);
    json_decref(sources);
    json_decref(aggregations);
    return ok;
}

/* The keys whose copies the index alone cannot tell, or whose events are too many for the quick search. */
static bool ask_for_latest(struct part *p, struct error *err)
{
    const struct aggregate_result *wanted[SLOW_KEYS];
    size_t count = 0;

    p->latest = true;
    for (size_t i = 0; i < p->count; i++) {
        if (p->results[i].again)
            wanted[count++] = &p->results[i];
        if (count > 0 && (count == SLOW_KEYS || i + 1 == p->count)) {
            if (!ask(p, wanted, count, err))
                return false;
            count = 0;
        }
    }
    return true;
}

static bool count_unique(void *context, const json_t *buckets, struct error *err)
{
    struct part *p = context;
    const json_t *bucket;
    size_t i;

    (void)err;
    json_array_foreach((json_t *)(uintptr_t)buckets, i, bucket)
    {
        struct aggregate_result *r = find_result(p, bucket);

        if (r)
            r->uniques[p->metric]++;
    }
    return true;
}

/* Exactly: each value of the field, of each key, is a bucket. */
static bool ask_for_uniques(struct part *p, struct error *err)
{
    struct aggregation *a = p->aggregation;

    for (p->metric = 0; p->metric < a->metrics.count; p->metric++) {
        const struct metric *m = &a->metrics.items[p->metric];
        json_t *query, *sources;
        bool ok;

        if (m->function != METRIC_UNIQUE)
            continue;
        query = part_query(p, NULL, p->count, err);
        if (!query)
            return false;
        sources = key_sources(a, false);
        json_array_append_new(sources, composite_terms("v", m->field, false));
        ok = composite_each(
            a->handler->client,
            &(struct composite){.index = a->source.data, .query = query, .sources = sources, .size = UNIQUE_BUCKETS},
            count_unique, p, err);
        json_decref(query);
        json_decref(sources);
        if (!ok)
            return false;
    }
    return true;
}

static bool compute_part(struct aggregation *a, struct aggregate_result *results, size_t count, struct arena *arena,
                         struct error *err)
{
    struct part p = {.aggregation = a,
                     .arena = arena,
                     .results = results,
                     .count = count,
                     .scratch = BUF_INIT,
                     .document = BUF_INIT};
    bool by_index = a->copies_indexed || a->copies.count == 0, ok;

    for (size_t i = 0; i < count; i++)
        results[i].again = !by_index;
    ok = ask_for_uniques(&p, err) && (!by_index || ask(&p, NULL, count, err)) && ask_for_latest(&p, err);
    buf_release(&p.scratch);
    buf_release(&p.document);
    return ok;
}

bool aggregate_compute(struct aggregation *a, const struct dirty_mark *marks, size_t count, struct arena *arena,
                       struct aggregate_result **results, struct error *err)
{
    size_t end;

    *results = arena_zero(arena, count * sizeof **results);
    for (size_t i = 0; i < count; i++) {
        (*results)[i] = (struct aggregate_result){.mark = marks[i], .document = SPAN_NONE};
        (*results)[i].uniques = arena_zero(arena, a->metrics.count * sizeof(int64_t));
    }
    for (size_t at = 0; at < count; at = end) {
        for (end = at; end < count && marks[end].interval_us == marks[at].interval_us; end++)
            ;
        if (!compute_part(a, *results + at, end - at, arena, err))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------- the mapping */

/* A keyword and a flag stand in the index as in the event; numbers and times are told in a form of its own. */
static bool reads_back(const json_t *types)
{
    return json_object_size(types) == 1 && (json_object_get(types, "keyword") || json_object_get(types, "boolean"));
}

bool aggregate_look(struct aggregation *a, struct error *err)
{
    struct client *c = a->handler->client;
    struct buf path = BUF_INIT;
    json_t *answer = NULL;
    bool missing, ok;

    a->copies_indexed = false;
    if (a->copies.count == 0)
        return true;
    buf_add_char(&path, '/');
    http_add_segment(&path, client_prefix(c), strlen(client_prefix(c)));
    http_add_segment(&path, a->source.data, a->source.length);
    buf_add_text(&path, "/_field_caps?fields=");
    for (size_t i = 0; i < a->copies.count; i++) {
        buf_add_text(&path, i ? "," : "");
        http_add_segment(&path, a->copies.items[i].from, strlen(a->copies.items[i].from));
    }
    ok = client_json(c, "GET", path.data, NULL, &answer, &missing, err);
    a->copies_indexed = ok && !missing;
    for (size_t i = 0; a->copies_indexed && i < a->copies.count; i++)
        a->copies_indexed = reads_back(json_object_get(json_object_get(answer, "fields"), a->copies.items[i].from));
    json_decref(answer);
    buf_release(&path);
    return ok;
}
