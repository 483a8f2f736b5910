#include "support/aggregate_stage.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/aggregate.h"
#include "handlers/dirty.h"
#include "support/search_index.h"

/* clang-format off */
#define AGGREGATE(name)                                                                                                \
    "[handler " name "]\ntype = aggregate\nqueue = q\nof = views\nindex = stats-" name "-{time:%Y}\n"                  \
    "alias = stats-" name "\nrecord = recid\nparent = parent_recid\n"

static const char ini[] =
    "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
    "[http]\nlisten = 127.0.0.1:0\n[queue q]\nevents = record-view\n"
    "[handler views]\ntype = statistics\nqueue = q\nindex = " EVENTS "-{time:%Y-%m}\nalias = " EVENTS "\n"
    "id_field =\nupdated_field = updated_timestamp\n"
    "fields = recid:keyword parent_recid:keyword unique_id:keyword unique_session_id:keyword size:double\n"
    "    is_robot:boolean via_api:boolean label:text\n"
    "[handler day]\ntype = aggregate\nqueue = q\nof = views\nindex = stats-day-{time:%Y-%m}\nalias = stats-day\n"
    "schedule = every 200ms\n"
    "metrics = unique_count=cardinality(unique_session_id,1000) volume=sum(size)\n"
    "copy = recid parent_recid via_api\nwhere = is_robot!=true\nbookmarks = reference\n"
    "fields = count:integer unique_count:integer volume:double recid:keyword parent_recid:keyword\n"
    "    via_api:boolean unique_id:keyword\n"
    AGGREGATE("hour") "interval = hour\n"
    AGGREGATE("month") "interval = month\n"
    AGGREGATE("year") "interval = year\n"
    AGGREGATE("all") "metrics = s=sum(size) l=min(size) h=max(size) a=avg(size) c=cardinality(unique_session_id)\n"
    "    u=unique(unique_session_id)\n"
    AGGREGATE("label") "copy = label recid\n"
    AGGREGATE("small") "page = 10\ncopy = recid\n"
    "[handler totals]\ntype = record-stats\nqueue = q\nviews = day\nindex = records\n";
/* clang-format on */

static bool may_go_on(struct clock_run *run, struct error *err)
{
    struct turn *t = (struct turn *)run;
    int left = atomic_fetch_sub(&t->goes_on, 1);

    if (left == 0 && t->dies)
        raise(SIGKILL);
    if (t->empties) {
        scene_redis(t->empties, "FLUSHALL");
        t->empties = NULL;
    }
    return left != 0 || error_set(err, ERROR_AGAIN, "enough");
}

static void did(struct clock_run *run, int64_t items)
{
    atomic_fetch_add(&((struct turn *)run)->items, items);
}

static struct handler *open_handler(struct scene *s, const char *name)
{
    struct error err;
    struct handler *h = handler_new(s->settings, settings_handler(s->settings, name), &err);

    if (!h || !h->type->install(h, &err))
        fail_msg("%s", err.text);
    return h;
}

static const char *const all_handlers[] = {"day", "hour", "month", "year", "all", "label", "small"};

int aggregate_stage_open(void **state)
{
    struct scene *s = scene_open(ini);

    handler_free(open_handler(s, "views"));
    for (size_t i = 0; i < ARRAY_LENGTH(all_handlers); i++)
        scene_redis(s, "HSET crier:{q}:aggregated:%s seeded 1", all_handlers[i]);
    *state = s;
    return 0;
}

int aggregate_stage_close(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "*stats-*");
    index_delete(s->settings, "records");
    scene_close(s);
    return 0;
}

/* -------------------------------------------------------------------------------------------------- what happens */

void mark_view(struct scene *s, const char *handler, const char *time, const char *key)
{
    const struct handler_settings *hs = settings_handler(s->settings, handler);
    const struct aggregate_options *o = hs->own;
    struct dirty_mark m = {.key = span_of(key)};
    struct error err;
    int64_t us;

    assert_true(time_parse(time, strlen(time), true, &us));
    m.interval_us = aggregate_interval_start((enum aggregate_interval)o->interval, us);
    if (!dirty_mark(s->redis, "q", handler, &m, 1, &err))
        fail_msg("%s", err.text);
}

static void add_view(struct scene *s, const struct view *v, struct buf *lines)
{
    char now[TIME_TEXT_BYTES];
    json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:b, s:s}", "timestamp", v->time, "unique_id",
                            arena_printf(s->arena, "ui_%s", v->key), "recid", v->key, "parent_recid",
                            arena_printf(s->arena, "p-%s", v->key), "unique_session_id", v->session, "size", v->size,
                            "via_api", 0, "updated_timestamp", time_text(clock_wall_us(), now));
    json_t *more = json_loads(v->more ? arena_printf(s->arena, "{%s}", v->more) : "{}", 0, NULL);

    assert_non_null(more);
    json_object_update(doc, more);
    json_add(lines, doc);
    buf_add_char(lines, '\n');
    json_decref(doc);
    json_decref(more);
}

void views_happen(struct scene *s, const struct view *views, size_t count)
{
    static int number;
    struct buf lines = BUF_INIT;

    for (size_t i = 0; i < count; i++) {
        buf_printf(&lines, "{\"index\":{\"_index\":\"%s" EVENTS "-%.7s\",\"_id\":\"%d\"}}\n",
                   s->settings->opensearch.prefix, views[i].time, number++);
        add_view(s, &views[i], &lines);
        for (size_t h = 0; h < ARRAY_LENGTH(all_handlers); h++)
            mark_view(s, all_handlers[h], views[i].time, arena_printf(s->arena, "ui_%s", views[i].key));
    }
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
}

void forget_views(struct scene *s, const char *recid)
{
    const char *path =
        arena_printf(s->arena, "/%s" EVENTS "/_search?size=100&q=recid:%s", s->settings->opensearch.prefix, recid);
    json_t *answer = index_ask(s->settings, "GET", path, NULL);
    struct buf lines = BUF_INIT;
    const json_t *hit;
    size_t i;

    json_array_foreach(json_at(answer, "hits.hits"), i, hit)
    {
        buf_printf(&lines, "{\"delete\":{\"_index\":\"%s\",\"_id\":\"%s\"}}\n", json_member_text(hit, "_index", ""),
                   json_member_text(hit, "_id", ""));
    }
    assert_true(lines.length > 0);
    index_bulk(s->settings, lines.data);
    buf_release(&lines);
    json_decref(answer);
}

void many_views_happen(struct scene *s, const char *day, int keys)
{
    struct view *views = arena_zero(s->arena, (size_t)keys * sizeof *views);

    for (int i = 0; i < keys; i++)
        views[i] = (struct view){arena_printf(s->arena, "%sT10:00:00", day), arena_printf(s->arena, "k%04d", i), "s",
                                 1.0, NULL};
    views_happen(s, views, (size_t)keys);
}

bool try_aggregation(struct scene *s, const char *handler, struct turn turn, int64_t *items, struct error *err)
{
    struct handler *h = open_handler(s, handler);
    bool ok;

    turn.run = (struct clock_run){may_go_on, did};
    ok = h->type->run(h, &turn.run, err);
    *items = turn.items;
    handler_free(h);
    return ok;
}

int64_t run_aggregation(struct scene *s, const char *handler)
{
    struct error err;
    int64_t items;

    if (!try_aggregation(s, handler, (struct turn){.goes_on = -1}, &items, &err))
        fail_msg("%s", err.text);
    return items;
}

int64_t aggregation_marks(struct scene *s, const char *handler)
{
    struct error err;
    int64_t count;

    assert_true(dirty_count(s->redis, "q", handler, &count, &err));
    return count;
}

/* -------------------------------------------------------------------------------------------- what must be there */

static json_t *aggregate(struct scene *s, const char *index, const char *id)
{
    json_t *answer = index_ask(
        s->settings, "GET", arena_printf(s->arena, "/%s%s/_doc/%s", s->settings->opensearch.prefix, index, id), NULL);
    json_t *source = json_incref(json_object_get(answer, "_source"));

    json_decref(answer);
    return source;
}

void aggregate_is(struct scene *s, const char *index, const char *id, const char *expected)
{
    json_t *found = aggregate(s, index, id), *wanted = json_loads(expected, 0, NULL);
    const char *updated = json_member_text(found, "updated_timestamp", "");
    char *text;

    assert_non_null(wanted);
    assert_int_equal(strlen(updated), strlen("2026-11-20T21:40:00.123456+00:00"));
    assert_string_equal(updated + 26, "+00:00");
    json_object_del(found, "updated_timestamp");
    text = json_dumps(found, JSON_COMPACT);
    if (!json_equal(found, wanted))
        fail_msg("%s is %s", id, text);
    free(text);
    json_decref(found);
    json_decref(wanted);
}

int64_t aggregate_count(struct scene *s, const char *index, const char *id)
{
    json_t *found = aggregate(s, index, id);
    int64_t count = json_integer_value(json_object_get(found, "count"));

    json_decref(found);
    return count;
}
