#include "handlers/aggregate/aggregate_repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/aggregate/aggregate_compute.h"
#include "handlers/aggregate/aggregate_seed.h"
#include "handlers/aggregate/aggregate_write.h"
#include "indexer/bulk.h"
#include "indexer/search.h"

enum { DELETED_TOGETHER = 1000 };

/* How far sums of the same numbers, added in another order, may lie apart. */
static const double sum_tolerance = 1e-9;

/* --------------------------------------------------------------------------------------------------- computing */

bool aggregate_recompute(struct handler *h, struct clock_run *run, void *context, struct error *err)
{
    const struct aggregate_repair *r = context;

    return aggregate_seed_range(aggregation_of(h), r->range, run, err) && h->type->run(h, run, err);
}

/* ---------------------------------------------------------------------------------------------------- comparing */

struct comparison {
    struct aggregation *aggregation;
    struct aggregate_repair *repair;
    struct clock_run *run;
    struct arena *arena;
    bool aggregates; /* the keys come from the aggregates: only those without events are news */
};

static double size_of(double number)
{
    return number < 0 ? -number : number;
}

static bool same_value(const json_t *a, const json_t *b)
{
    double one, other;

    if (!json_is_number(a) || !json_is_number(b))
        return json_equal(a, b);
    one = json_number_value(a);
    other = json_number_value(b);
    return size_of(one - other) <= sum_tolerance * (size_of(one) + size_of(other));
}

/* But for the time of computing. */
static bool covers(const struct aggregation *a, const json_t *one, const json_t *other)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)one, name, value)
    {
        if (strcmp(name, a->options->updated_field) != 0 && !same_value(value, json_object_get(other, name)))
            return false;
    }
    return true;
}

static void note(struct comparison *c, const char *what, const struct dirty_mark *mark, const json_t *found,
                 const json_t *wanted)
{
    char start[INTERVAL_TEXT_BYTES];
    json_t *example;

    if (json_array_size(c->repair->examples) >= EXAMPLES_MOST)
        return;
    example = json_pack("{s:s, s:s%, s:s}", "what", what, "key", mark->key.text, mark->key.length, "interval",
                        aggregate_start_text(mark->interval_us, start));
    if (found)
        json_object_set(example, "found", (json_t *)(uintptr_t)found);
    if (wanted)
        json_object_set(example, "wanted", (json_t *)(uintptr_t)wanted);
    json_array_append_new(c->repair->examples, example);
}

/* wanted NULL: there must be none; found NULL: there is none. */
static void compare_one(struct comparison *c, const struct dirty_mark *mark, const json_t *found, const json_t *wanted)
{
    if (!c->aggregates && wanted)
        c->repair->compared++;
    if (found && !wanted && c->aggregates) {
        c->repair->compared++;
        c->repair->surplus++;
        note(c, "surplus", mark, found, NULL);
    } else if (c->aggregates || !wanted) {
        return; /* the other walk compares it */
    } else if (!found) {
        c->repair->missing++;
        note(c, "missing", mark, NULL, wanted);
    } else if (!covers(c->aggregation, wanted, found) || !covers(c->aggregation, found, wanted)) {
        c->repair->different++;
        note(c, "different", mark, found, wanted);
    }
}

static bool compare_results(struct comparison *c, const struct aggregate_result *results, const json_t *docs,
                            size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *doc = json_array_get(docs, i);
        json_t *wanted = NULL;

        if (results[i].document.length) {
            wanted = json_text_parse(results[i].document.text, results[i].document.length, JSON_DEPTH_MOST, err);
            if (!wanted)
                return false;
        }
        compare_one(c, &results[i].mark, json_object_get(doc, "_source"), wanted);
        json_decref(wanted);
    }
    return true;
}

static bool compare_keys(void *context, struct dirty_mark *keys, size_t count, struct error *err)
{
    struct comparison *c = context;
    struct aggregate_result *results;
    json_t *docs = NULL;
    bool ok;

    arena_reset(c->arena);
    aggregate_sort(keys, count);
    ok = aggregate_compute(c->aggregation, keys, count, c->arena, &results, err) &&
         aggregate_read(c->aggregation, keys, count, &docs, err) && compare_results(c, results, docs, count, err);
    json_decref(docs);
    if (ok)
        c->run->did(c->run, (int64_t)count);
    return ok;
}

bool aggregate_verify(struct handler *h, struct clock_run *run, void *context, struct error *err)
{
    struct aggregation *a = aggregation_of(h);
    struct aggregate_repair *r = context;
    struct comparison c = {a, r, run, arena_new(), false};
    bool ok = search_refresh(h->client, a->source.data, err) && search_refresh(h->client, a->target.data, err) &&
              aggregate_look(a, err) && aggregate_walk_events(a, r->range, NULL, run, compare_keys, &c, err);

    c.aggregates = true;
    ok = ok && aggregate_walk_aggregates(a, r->range, run, compare_keys, &c, err);
    arena_free(c.arena);
    return ok;
}

/* ----------------------------------------------------------------------------------------------------- deleting */

static bool delete_hits(struct aggregation *a, const json_t *hits, int64_t version, struct error *err)
{
    const json_t *hit;
    size_t i, number;

    bulk_start(a->bulk);
    json_array_foreach((json_t *)(uintptr_t)hits, i, hit)
    {
        bulk_add(a->bulk,
                 &(struct bulk_target){.action = BULK_DELETE,
                                       .index = json_member_text(hit, "_index", ""),
                                       .with_prefix = true,
                                       .id = json_member_text(hit, "_id", ""),
                                       .routing = json_member_text(hit, "_routing", NULL),
                                       .version = version,
                                       .seq_no = -1,
                                       .primary_term = -1},
                 &number);
    }
    if (!bulk_send(a->bulk, err))
        return false;
    for (i = 0; i < bulk_count(a->bulk); i++)
        if (bulk_item(a->bulk, i)->outcome != BULK_DONE)
            return error_set(err, ERROR_AGAIN, "an aggregate could not be deleted: %s", bulk_item(a->bulk, i)->reason);
    return true;
}

/* Versions written elsewhere may be higher than ours. */
static int64_t highest(const json_t *hits)
{
    const json_t *hit;
    int64_t most = 0;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)hits, i, hit)
    {
        int64_t version = json_integer_value(json_object_get(hit, "_version"));

        most = version > most ? version : most;
    }
    return most;
}

bool aggregate_delete(struct handler *h, struct clock_run *run, void *context, struct error *err)
{
    struct aggregation *a = aggregation_of(h);
    struct aggregate_repair *r = context;
    json_t *query = aggregate_range_query(a, r->range);
    struct search *search = search_open(h->client, a->target.data, query, DELETED_TOGETHER);
    const json_t *hits;
    int64_t version;
    bool ok = search_refresh(h->client, a->target.data, err);

    while ((ok = ok && run->may_go_on(run, err) && search_next(search, &hits, err)) && hits) {
        if (!r->dry_run)
            ok = aggregate_version(a, highest(hits), &version, err) && delete_hits(a, hits, version, err);
        if (!ok)
            break;
        r->deleted += (int64_t)json_array_size(hits);
        run->did(run, (int64_t)json_array_size(hits));
    }
    search_close(search);
    json_decref(query);
    return ok;
}
