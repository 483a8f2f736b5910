/* The model's searches: what they see, in which order, page by page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/json.h"
#include "race/match.h"
#include "race/model.h"

/* What was visible at one moment; a point in time, or a scroll through it. */
struct view {
    long number;                /* of the point or scroll */
    struct document *documents; /* those with something to see; ids are the store's */
    size_t count;
    json_t *request; /* of a scroll */
    size_t given;    /* hits of it */
};

struct points {
    struct view *open;
    size_t count;
    long next;
};

struct points *points_new(void)
{
    return xcalloc(1, sizeof(struct points));
}

static void release(struct view *v)
{
    for (size_t i = 0; i < v->count; i++)
        json_decref(v->documents[i].seen.source);
    json_decref(v->request);
    free(v->documents);
}

void points_free(struct points *p)
{
    for (size_t i = 0; i < p->count; i++)
        release(&p->open[i]);
    free(p->open);
    free(p);
}

/* ids stay where they are: documents are never removed from a store while a view is used. */
static struct view look(const struct store *s)
{
    struct view v = {.documents = xcalloc(s->count ? s->count : 1, sizeof *v.documents)};

    for (size_t i = 0; i < s->count; i++)
        if (s->documents[i].seen.source) {
            v.documents[v.count] = s->documents[i];
            json_incref(v.documents[v.count++].seen.source);
        }
    return v;
}

static struct view *add_view(struct model *m)
{
    struct points *p = model_points(m);

    p->open = xrealloc(p->open, (p->count + 1) * sizeof *p->open);
    p->open[p->count] = look(model_store(m));
    p->open[p->count].number = ++p->next;
    return &p->open[p->count++];
}

static const char *view_id(const struct view *v, char out[30])
{
    snprintf(out, 30, "point-%ld", v->number);
    return out;
}

struct answer model_open_point(struct model *m)
{
    char id[30];

    return (struct answer){200, json_pack("{s:s, s:i}", "pit_id", view_id(add_view(m), id), "creation_time", 1)};
}

static struct view *find_point(struct points *p, const char *id)
{
    for (size_t i = 0; i < p->count; i++)
        if (strncmp(id, "point-", 6) == 0 && strtol(id + 6, NULL, 10) == p->open[i].number)
            return &p->open[i];
    return NULL;
}

static void close_view(struct points *p, struct view *v)
{
    release(v);
    *v = p->open[--p->count];
}

struct answer model_close_points(struct model *m, const json_t *body)
{
    struct points *p = model_points(m);
    const json_t *points = json_object_get(body, "pit_id"), *ids = points ? points : json_object_get(body, "scroll_id");
    const json_t *id;
    bool found = false;
    size_t i;

    if (json_is_string(ids))
        match_unknown("scroll_id that is no list", body);
    json_array_foreach(ids, i, id)
    {
        struct view *v = find_point(p, json_string_value(id));

        found = found || v;
        if (v)
            close_view(p, v);
    }
    if (!found && !points)
        return (struct answer){404, json_pack("{s:b}", "succeeded", 1)};
    return (struct answer){200, points ? json_pack("{s:[]}", "pits") : json_pack("{s:b}", "succeeded", 1)};
}

/* --------------------------------------------------------------------------------------------------------- order */

struct hit {
    const struct document *document;
    json_t *sort; /* an array of values */
};

static json_t *sort_value(const struct document *d, const char *field, size_t place)
{
    json_t *values, *value;

    if (strcmp(field, "_seq_no") == 0)
        return json_integer(d->seen.seq_no);
    if (strcmp(field, "_shard_doc") == 0 || strcmp(field, "_doc") == 0)
        return json_integer((json_int_t)place);
    if (strcmp(field, "_id") == 0)
        return json_string(d->id);
    if (*field == '_')
        match_unknown(field, NULL);
    values = match_values(d->seen.source, field);
    value = json_array_size(values) ? json_incref(json_array_get(values, 0)) : json_null();
    json_decref(values);
    return value;
}

static const char *sort_field(const json_t *one)
{
    void *only = json_object_iter((json_t *)(uintptr_t)one);
    const json_t *how = only ? json_object_iter_value(only) : NULL;
    const char *order = json_is_object(how) ? json_member_text(how, "order", "asc") : json_string_value(how);

    if (json_is_string(one))
        return json_string_value(one);
    if (!only || !order || strcmp(order, "asc") != 0)
        match_unknown("sort", one);
    return json_object_iter_key(only);
}

/* NULL where nothing sorts. */
static json_t *sort_values(const struct document *d, const json_t *sort, size_t place)
{
    json_t *values;
    const json_t *one;
    size_t i;

    if (!sort)
        return NULL;
    values = json_array();
    json_array_foreach(sort, i, one) json_array_append_new(values, sort_value(d, sort_field(one), place));
    return values;
}

static int compare_values(const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < json_array_size(a); i++) {
        const json_t *x = json_array_get(a, i), *y = json_array_get(b, i);
        int order;

        if (json_is_integer(x) && json_is_integer(y))
            order = (json_integer_value(x) > json_integer_value(y)) - (json_integer_value(x) < json_integer_value(y));
        else if (json_is_string(x) && json_is_string(y))
            order = strcmp(json_string_value(x), json_string_value(y));
        else
            order = json_is_null(x) - json_is_null(y); /* what has no value comes last */
        if (order)
            return order;
    }
    return 0;
}

static int by_sort(const void *a, const void *b)
{
    return compare_values(((const struct hit *)a)->sort, ((const struct hit *)b)->sort);
}

/* ------------------------------------------------------------------------------------------------------ one search */

static void check_known(const json_t *body)
{
    static const char *const known[] = {"size",
                                        "query",
                                        "pit",
                                        "sort",
                                        "search_after",
                                        "slice",
                                        "_source",
                                        "track_total_hits",
                                        "version",
                                        "seq_no_primary_term",
                                        "terminate_after",
                                        "timeout",
                                        "track_scores",
                                        "from",
                                        "aggs"};
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        count += json_object_get(body, known[i]) != NULL;
    if (count != json_object_size(body))
        match_unknown("search", body);
}

/* Which of the parts a document belongs to is the server's secret; here it follows from its id or sequence number. */
static bool is_in_slice(const struct document *d, const json_t *slice)
{
    bool by_number = strcmp(json_member_text(slice, "field", ""), "_seq_no") == 0;
    uint64_t most = (uint64_t)json_integer_value(json_object_get(slice, "max"));

    if (!slice)
        return true;
    return (by_number ? (uint64_t)d->seen.seq_no : hash_table(d->id, strlen(d->id))) % most ==
           (uint64_t)json_integer_value(json_object_get(slice, "id"));
}

/* Every fitting document of the view in order: how many. */
static size_t find_hits(struct model *m, const struct view *v, const json_t *body, struct hit *hits)
{
    const json_t *sort = json_object_get(body, "sort");
    size_t count = 0;

    for (size_t i = 0; i < v->count; i++) {
        const struct document *d = &v->documents[i];
        struct matched of = {d->id, d->seen.source, model_properties(m)};

        if (is_in_slice(d, json_object_get(body, "slice")) && match(json_object_get(body, "query"), &of))
            hits[count++] = (struct hit){d, sort_values(d, sort, i)};
    }
    if (sort)
        qsort(hits, count, sizeof *hits, by_sort);
    return count;
}

static json_t *hit_answer(const struct model *m, const struct hit *h, const json_t *body)
{
    const struct revision *r = &h->document->seen;
    json_t *hit = json_pack("{s:s, s:s}", "_index", model_index(m), "_id", h->document->id);
    json_t *source = model_source(r->source, json_object_get(body, "_source"));

    if (json_is_true(json_object_get(body, "version")))
        json_object_set_new(hit, "_version", json_integer(r->version));
    if (json_is_true(json_object_get(body, "seq_no_primary_term"))) {
        json_object_set_new(hit, "_seq_no", json_integer(r->seq_no));
        json_object_set_new(hit, "_primary_term", json_integer(1));
    }
    if (source)
        json_object_set_new(hit, "_source", source);
    if (h->sort)
        json_object_set(hit, "sort", h->sort);
    return hit;
}

static json_t *total_of(const json_t *body, size_t count)
{
    const json_t *track = json_object_get(body, "track_total_hits");
    size_t most = json_is_integer(track) ? (size_t)json_integer_value(track) : count;

    if (json_is_false(track) || (json_is_integer(track) && most == 0))
        return NULL;
    return json_pack("{s:I, s:s}", "value", (json_int_t)(count < most ? count : most), "relation",
                     count > most ? "gte" : "eq");
}

/* {NAME: {"sum": {"field": "_seq_no"}}}, the only kind. */
static json_t *aggregations(const json_t *asked, const struct hit *hits, size_t count)
{
    json_t *out = json_object(), *one;
    const char *name;

    json_object_foreach((json_t *)(uintptr_t)asked, name, one)
    {
        double sum = 0;

        if (json_object_size(one) != 1 ||
            strcmp(json_member_text(json_object_get(one, "sum"), "field", ""), "_seq_no") != 0)
            match_unknown("aggregation", asked);
        for (size_t i = 0; i < count; i++)
            sum += (double)hits[i].document->seen.seq_no;
        json_object_set_new(out, name, json_pack("{s:f}", "value", sum));
    }
    return out;
}

/* A page of the view's hits, those already given left out. */
static struct answer answer_from(struct model *m, struct view *v, const json_t *body)
{
    struct hit *hits = xcalloc(v->count ? v->count : 1, sizeof *hits);
    const json_t *size = json_object_get(body, "size"), *after = json_object_get(body, "search_after");
    const json_t *asked = json_object_get(body, "aggs");
    size_t most = size ? (size_t)json_integer_value(size) : 10, count = find_hits(m, v, body, hits), i;
    json_t *list = json_array(), *found = json_pack("{s:o}", "hits", list), *answer;

    for (i = v->given; i < count && json_array_size(list) < most; i++)
        if (!after || compare_values(hits[i].sort, after) > 0)
            json_array_append_new(list, hit_answer(m, &hits[i], body));
    v->given = i;
    json_object_set_new(found, "total", total_of(body, count)); /* NULL is not set */
    answer = json_pack("{s:i, s:b, s:{s:i, s:i, s:i, s:i}, s:o}", "took", 1, "timed_out", 0, "_shards", "total", 1,
                       "successful", 1, "skipped", 0, "failed", 0, "hits", found);
    if (asked)
        json_object_set_new(answer, "aggregations", aggregations(asked, hits, count));
    for (i = 0; i < count; i++)
        json_decref(hits[i].sort);
    free(hits);
    return (struct answer){200, answer};
}

static struct answer no_context(void)
{
    return (struct answer){404, json_pack("{s:{s:s, s:s}, s:i}", "error", "type", "search_phase_execution_exception",
                                          "reason", "all shards failed", "status", 404)};
}

struct answer model_search(struct model *m, const char *index, const json_t *body)
{
    const json_t *pit = json_object_get(body, "pit");
    struct view *point = find_point(model_points(m), json_member_text(pit, "id", "")), now;
    struct answer a;

    check_known(body);
    if (pit && !point)
        return no_context();
    if (!pit && !index)
        match_unknown("search without an index", body);
    if (point) {
        point->given = 0;
        return answer_from(m, point, body);
    }
    now = look(model_store(m));
    a = answer_from(m, &now, body);
    release(&now);
    return a;
}

static struct answer scroll_page(struct model *m, struct view *v)
{
    struct answer a = answer_from(m, v, v->request);
    char id[30];

    json_object_set_new(a.body, "_scroll_id", json_string(view_id(v, id)));
    return a;
}

struct answer model_open_scroll(struct model *m, const json_t *body)
{
    struct view *v = add_view(m);

    check_known(body);
    v->request = json_deep_copy(body);
    return scroll_page(m, v);
}

struct answer model_scroll(struct model *m, const json_t *body)
{
    struct view *v = find_point(model_points(m), json_member_text(body, "scroll_id", ""));

    return v && v->request ? scroll_page(m, v) : no_context();
}
