#include "handlers/repair/restated.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/aggregate/aggregate_walk.h"
#include "handlers/aggregate/composite.h"
#include "handlers/clicks.h"
#include "indexer/indices.h"
#include "indexer/search.h"

/* ----------------------------------------------------------------------------------------------------- totals */

/* A sum over documents that hold sums; a least, a most and an average have none. */
static bool adds_up(const struct metric *m)
{
    return m->function == METRIC_SUM || m->function == METRIC_CARDINALITY || m->function == METRIC_UNIQUE;
}

static json_t *sums_request(const struct aggregation *a, struct time_range range)
{
    json_t *aggs = json_object();

    json_object_set_new(aggs, a->options->count_field, json_pack("{s:{s:s}}", "sum", "field", a->options->count_field));
    for (size_t i = 0; i < a->metrics.count; i++)
        if (adds_up(&a->metrics.items[i]))
            json_object_set_new(aggs, a->metrics.items[i].name,
                                json_pack("{s:{s:s}}", "sum", "field", a->metrics.items[i].name));
    return json_pack("{s:i, s:o, s:o}", "size", 0, "query", aggregate_range_query(a, range), "aggs", aggs);
}

/* Whole numbers as such: 45, not 45.0. */
static json_t *plain_number(double value)
{
    return value >= -9e15 && value <= 9e15 && value == (double)(int64_t)value ? json_integer((json_int_t)value)
                                                                              : json_real(value);
}

static bool sums_of(struct aggregation *a, struct time_range range, json_t **sums, struct error *err)
{
    json_t *answer = NULL, *one;
    const char *name;
    bool ok = search_refresh(a->handler->client, a->target.data, err) &&
              search_once(a->handler->client, a->target.data, sums_request(a, range), true, &answer, err);

    *sums = json_object();
    json_object_foreach(json_object_get(answer, "aggregations"), name, one)
        json_object_set_new(*sums, name, plain_number(json_number_value(json_object_get(one, "value"))));
    json_decref(answer);
    return ok;
}

static bool add_aggregates(const struct handler *h, struct time_range range, json_t *totals, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < h->settings->handler_count; i++) {
        const struct handler_settings *hs = &h->settings->handlers[i];
        struct handler *reader;
        json_t *sums = NULL;

        if (strcmp(hs->type, aggregate_handler.name) != 0 ||
            strcmp(((const struct aggregate_options *)hs->own)->of, h->common->name) != 0)
            continue;
        reader = handler_new(h->settings, hs, err);
        ok = reader && sums_of(aggregation_of(reader), range, &sums, err);
        json_object_set_new(totals, hs->name, sums ? sums : json_object());
        handler_free(reader);
    }
    return ok;
}

static bool add_events(const struct handler *h, const struct store *s, struct time_range range, json_t *totals,
                       struct error *err)
{
    json_t *all = store_query(s, range);
    json_t *some = json_pack("{s:{s:[O], s:[{s:{s:b}}]}}", "bool", "filter", all, "must_not", "term", CLICKS_FIELD, 0);
    int64_t events = 0, counted = 0;
    bool ok = search_refresh(h->client, s->source, err) && indices_count(h->client, s->source, all, &events, err) &&
              indices_count(h->client, s->source, some, &counted, err);

    json_object_set_new(totals, "events", json_integer((json_int_t)events));
    json_object_set_new(totals, "counted", json_integer((json_int_t)counted));
    json_decref(all);
    json_decref(some);
    return ok;
}

bool restated_totals(const struct handler *h, const struct store *s, struct time_range range, json_t **totals,
                     struct error *err)
{
    *totals = json_object();
    return add_events(h, s, range, *totals, err) && add_aggregates(h, range, *totals, err);
}

/* --------------------------------------------------------------------------------- what was before, until the end */

static void add_key(const struct handler *h, const char *month, struct buf *out)
{
    buf_printf(out, "crier:{%s}:restating:%s:%s", h->common->queue, h->common->name, month);
}

static bool read_kept(const struct handler *h, const char *key, struct arena *arena, json_t **before, struct error *err)
{
    const struct reply *reply;

    if (!redis_do(h->redis, arena, &reply, err, "GET %s", key))
        return false;
    *before = reply->kind == REPLY_TEXT ? json_text_parse(reply->text, reply->length, JSON_DEPTH_DEFAULT, err) : NULL;
    return *before || error_set(err, ERROR_AGAIN, "Redis lost %s", key);
}

bool restated_begin(const struct handler *h, const char *month, const json_t *totals, json_t **before,
                    struct error *err)
{
    struct arena *arena = arena_new();
    struct buf key = BUF_INIT, text = BUF_INIT;
    const struct reply *reply;
    bool ok;

    *before = NULL;
    add_key(h, month, &key);
    json_add(&text, totals);
    ok = redis_do(h->redis, arena, &reply, err, "SET %s %b NX", key.data, text.data, text.length) &&
         read_kept(h, key.data, arena, before, err);
    buf_release(&key);
    buf_release(&text);
    arena_free(arena);
    return ok;
}

bool restated_end(const struct handler *h, const char *month, struct error *err)
{
    struct arena *arena = arena_new();
    struct buf key = BUF_INIT;
    const struct reply *reply;
    bool ok;

    add_key(h, month, &key);
    ok = redis_do(h->redis, arena, &reply, err, "DEL %s", key.data);
    buf_release(&key);
    arena_free(arena);
    return ok;
}

/* ---------------------------------------------------------------------------------------------- for the reports */

struct store restated_store(void)
{
    static char name[] = RESTATED_INDEX, none[] = "";
    static const struct handler_settings nobody = {.name = name, .type = none};

    return (struct store){
        .handler = &nobody, .index = RESTATED_INDEX, .alias = "", .time_field = "time", .source = RESTATED_INDEX};
}

static bool make_index(const struct handler *h, struct error *err)
{
    json_t *body = json_pack("{s:{s:b, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s, s:b}, s:{s:s, s:b}}}}",
                             "mappings", "dynamic", 0, "properties", "month", "type", "keyword", "handler", "type",
                             "keyword", "reason", "type", "text", "time", "type", "date", "before", "type", "object",
                             "enabled", 0, "after", "type", "object", "enabled", 0);
    bool ok = indices_create(h->client, RESTATED_INDEX, body, err);

    json_decref(body);
    return ok;
}

bool restated_note(const struct handler *h, const char *month, const char *reason, const json_t *before,
                   const json_t *after, struct error *err)
{
    char now[TIME_TEXT_BYTES];
    struct buf rest = BUF_INIT;
    json_t *answer = NULL,
           *doc = json_pack("{s:s, s:s, s:s, s:s, s:O, s:O}", "month", month, "handler", h->common->name, "reason",
                            reason, "time", time_text(clock_wall_us(), now), "before", before, "after", after);
    bool ok;

    buf_printf(&rest, "/_doc/%s-%s?refresh=true", h->common->name, month);
    ok = make_index(h, err) && indices_ask(h->client, "PUT", RESTATED_INDEX, rest.data, doc, &answer, NULL, err);
    json_decref(answer);
    json_decref(doc);
    buf_release(&rest);
    return ok;
}
