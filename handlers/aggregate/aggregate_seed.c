#include "handlers/aggregate/aggregate_seed.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "handlers/aggregate/bookmark.h"
#include "indexer/search.h"
#include "notifier/stream.h"

/*
 * How long before a bookmark events may have been indexed that no mark was left of: invenio-stats overlaps its runs by
 * a minute, and a pass of ours marks at its end. Too much costs little.
 */
#define MARGIN_US (3600 * US_PER_SECOND)

struct seed {
    struct aggregation *aggregation;
    int64_t not_before_us;
    int64_t marked;
};

static const char *state_key(const struct handler_settings *hs, char out[KEY_BYTES])
{
    char what[KEY_BYTES / 2];

    snprintf(what, sizeof what, "aggregated:%s", hs->name);
    return queue_key(hs->queue, what, out);
}

static bool mark_keys(void *context, struct dirty_mark *keys, size_t count, struct error *err)
{
    struct seed *s = context;
    const struct handler *h = s->aggregation->handler;

    if (keys[0].interval_us < s->not_before_us)
        return true;
    s->marked += (int64_t)count;
    return dirty_mark(h->redis, h->common->queue, h->common->name, keys, count, err);
}

/* --------------------------------------------------------------------------------------------------- once */

/* Events indexed since then, or older than the field that says so and not long before. */
static json_t *indexed_since(const struct aggregation *a, int64_t since_us)
{
    json_t *times[2];

    for (int i = 0; i < 2; i++)
        times[i] = json_pack("{s:{s:{s:I, s:s}}}", "range", i ? a->of->time_field : a->of->updated_field, "gte",
                             (json_int_t)(since_us / 1000), "format", "epoch_millis");
    return json_pack("{s:{s:[o, {s:{s:[{s:{s:s}}], s:[o]}}]}}", "bool", "should", times[0], "bool", "must_not",
                     "exists", "field", a->of->updated_field, "filter", times[1]);
}

static bool since_when(struct aggregation *a, int64_t *since_us, struct error *err)
{
    const struct handler *h = a->handler;
    bool ahead;

    *since_us = BOOKMARK_NONE;
    if (a->options->bookmarks != BOOKMARKS_REFERENCE || !a->of->updated_field[0])
        return true;
    if (!bookmark_newest(h->client, h->common->name, clock_wall_us(), since_us, &ahead, err))
        return false;
    if (ahead)
        log_warn("handler %s: a bookmark lies in the future, and is passed over", h->common->name);
    if (*since_us != BOOKMARK_NONE)
        *since_us -= MARGIN_US;
    return true;
}

static bool seed_all(struct aggregation *a, struct clock_run *run, struct error *err)
{
    struct seed s = {a, INT64_MIN, 0};
    json_t *narrow = NULL;
    int64_t since_us;
    bool ok;

    if (!since_when(a, &since_us, err) || !search_refresh(a->handler->client, a->source.data, err))
        return false;
    if (since_us != BOOKMARK_NONE)
        narrow = indexed_since(a, since_us);
    ok = aggregate_walk_events(a, time_range_all, narrow, run, mark_keys, &s, err);
    json_decref(narrow);
    if (ok)
        log_info("handler %s: begins anew: %lld keys are to be computed, of %s", a->handler->common->name,
                 (long long)s.marked, narrow ? "what was indexed since the last bookmark" : "all events");
    return ok;
}

bool aggregate_seed_once(struct aggregation *a, struct clock_run *run, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    char key[KEY_BYTES];
    bool ok;

    state_key(a->handler->common, key);
    ok = redis_do(a->handler->redis, arena, &reply, err, "HEXISTS %s seeded", key);
    if (ok && reply->integer == 0)
        ok = seed_all(a, run, err) &&
             redis_do(a->handler->redis, arena, NULL, err, "HSET %s seeded %lld", key, (long long)clock_wall_us());
    arena_free(arena);
    return ok || error_in(err, "beginning anew");
}

bool aggregate_still_seeded(struct aggregation *a, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    char key[KEY_BYTES];
    bool ok = redis_do(a->handler->redis, arena, &reply, err, "HEXISTS %s seeded", state_key(a->handler->common, key));

    if (ok && reply->integer == 0)
        ok = error_set(err, ERROR_AGAIN, "Redis was emptied in the middle of a run");
    arena_free(arena);
    return ok;
}

bool aggregate_last_run(struct redis *r, const struct handler_settings *hs, int64_t *time_us, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    char key[KEY_BYTES];
    bool ok = redis_do(r, arena, &reply, err, "HGET %s ran", state_key(hs, key));

    *time_us = ok && reply->text ? strtoll(reply->text, NULL, 10) : 0;
    arena_free(arena);
    return ok;
}

bool aggregate_note_run(struct aggregation *a, int64_t time_us, struct error *err)
{
    struct arena *arena = arena_new();
    char key[KEY_BYTES];
    bool ok = redis_do(a->handler->redis, arena, NULL, err, "HSET %s ran %lld", state_key(a->handler->common, key),
                       (long long)time_us);

    arena_free(arena);
    return ok;
}

/* -------------------------------------------------------------------------------------------------- a range */

bool aggregate_seed_range(struct aggregation *a, struct time_range range, struct clock_run *run, struct error *err)
{
    struct client *c = a->handler->client;
    struct seed s = {a, INT64_MIN, 0};

    return search_refresh(c, a->source.data, err) && search_refresh(c, a->target.data, err) &&
           aggregate_walk_events(a, range, NULL, run, mark_keys, &s, err) &&
           aggregate_first_interval(a, &s.not_before_us, err) &&
           aggregate_walk_aggregates(a, range, run, mark_keys, &s, err);
}
