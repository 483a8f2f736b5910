#include "support/record_stats_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/dirty.h"
#include "handlers/handler.h"
#include "support/scene.h"
#include "support/search_index.h"

bool stats_may_go_on(struct clock_run *run, struct error *err)
{
    (void)run;
    (void)err;
    return true;
}

void stats_did(struct clock_run *run, int64_t items)
{
    (void)run;
    (void)items;
}

void stats_make_index(struct scene *s, const char *name, const char *mapping)
{
    char path[100];

    index_delete(s->settings, name);
    snprintf(path, sizeof path, "/%s%s", s->settings->opensearch.prefix, name);
    json_decref(index_ask(s->settings, "PUT", path, mapping));
}

void record_stats_stage_open(void **state, const char *servers, const char *rest)
{
    struct record_stats_stage *t = xcalloc(1, sizeof *t);
    struct buf ini = BUF_INIT;

    buf_printf(&ini, "%s%s%s%s", SERVERS, servers, HANDLERS, rest);
    t->scene = scene_open(ini.data);
    buf_release(&ini);
    stats_make_index(t->scene, "agg-views", AGGREGATES("keyword"));
    stats_make_index(t->scene, "agg-downloads", AGGREGATES("keyword"));
    stats_make_index(t->scene, "records", RECORDS);
    t->run = (struct clock_run){.may_go_on = stats_may_go_on, .did = stats_did};
    t->handler = handler_new(t->scene->settings, settings_handler(t->scene->settings, "counters"), &t->err);
    if (!t->handler || (t->handler->type->install && !t->handler->type->install(t->handler, &t->err)))
        fail_msg("%s", t->err.text);
    *state = t;
}

int record_stats_stage_setup(void **state)
{
    record_stats_stage_open(state, "url = SEARCH\n", "");
    return 0;
}

int record_stats_stage_close(void **state)
{
    static const char *const names[] = {"agg-views", "agg-downloads", "records", "beside"};
    struct record_stats_stage *t = *state;

    handler_free(t->handler);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        index_delete(t->scene->settings, names[i]);
    scene_close(t->scene);
    free(t);
    return 0;
}

void stats_load(struct record_stats_stage *t, const char *index, const char *id, const char *more, const char *document)
{
    struct buf lines = BUF_INIT;

    buf_printf(&lines, "{\"index\":{\"_index\":\"%s%s\",\"_id\":\"%s\"%s}}\n%s\n",
               t->scene->settings->opensearch.prefix, index, id, more, document);
    index_bulk(t->scene->settings, lines.data);
    buf_release(&lines);
}

void stats_load_view(struct record_stats_stage *t, const char *id, const char *record, const char *parent, int count,
                     int unique)
{
    char document[300];

    snprintf(document, sizeof document,
             "{\"timestamp\":\"2026-11-01T00:00:00\",\"recid\":\"%s\",\"parent_recid\":\"%s\",\"count\":%d,"
             "\"unique_count\":%d}",
             record, parent, count, unique);
    stats_load(t, "agg-views", id, "", document);
}

void stats_load_download(struct record_stats_stage *t, const char *id, const char *record, const char *parent,
                         int count, int unique, double volume)
{
    char document[300];

    snprintf(document, sizeof document,
             "{\"timestamp\":\"2026-11-01T00:00:00\",\"recid\":\"%s\",\"parent_recid\":\"%s\",\"count\":%d,"
             "\"unique_count\":%d,\"volume\":%.1f}",
             record, parent, count, unique, volume);
    stats_load(t, "agg-downloads", id, "", document);
}

void stats_load_record(struct record_stats_stage *t, const char *id, const char *parent, int version, const char *title)
{
    char more[80] = "", document[300];

    if (version > 0)
        snprintf(more, sizeof more, ",\"version\":%d,\"version_type\":\"external_gte\"", version);
    snprintf(document, sizeof document, "{\"id\":\"%s\",\"parent\":{\"id\":\"%s\"},\"title\":\"%s\"}", id, parent,
             title);
    stats_load(t, "records", id, more, document);
}

void stats_mark(struct record_stats_stage *t, const char *queue, const char *parent)
{
    const struct dirty_mark m = {.key = span_of(parent)};

    assert_true(dirty_mark(t->scene->redis, queue, "counters", &m, 1, &t->err));
}

bool stats_run(struct record_stats_stage *t)
{
    return t->handler->type->run(t->handler, &t->run, &t->err);
}

void stats_run_well(struct record_stats_stage *t)
{
    if (!stats_run(t))
        fail_msg("%s", t->err.text);
}

int64_t stats_marks_left(struct record_stats_stage *t, const char *queue)
{
    int64_t count;

    assert_true(dirty_count(t->scene->redis, queue, "counters", &count, &t->err));
    return count;
}

json_t *stats_get(struct record_stats_stage *t, const char *index, const char *id)
{
    char path[200];

    snprintf(path, sizeof path, "/%s%s/_doc/%s", t->scene->settings->opensearch.prefix, index, id);
    return index_ask(t->scene->settings, "GET", path, NULL);
}

void stats_are(struct record_stats_stage *t, const char *index, const char *id, const char *expected)
{
    json_t *document = stats_get(t, index, id), *wanted;
    char *found = json_dumps(json_at(document, "_source.stats"), JSON_COMPACT);

    wanted = json_text_parse(expected, strlen(expected), 10, &t->err);
    assert_non_null(wanted);
    if (!json_equal(wanted, json_at(document, "_source.stats")))
        fail_msg("%s has %s, wanted %s", id, found ? found : "none", expected);
    free(found);
    json_decref(wanted);
    json_decref(document);
}

void stats_load_family(struct record_stats_stage *t)
{
    stats_load_view(t, "a1", "r1", "p1", 5, 3);
    stats_load_view(t, "a2", "r1", "p1", 2, 2);
    stats_load_view(t, "a3", "r2", "p1", 10, 4);
    stats_load_view(t, "a4", "r9", "p9", 100, 50);
    stats_load_download(t, "d1", "r2", "p1", 3, 1, 1500.5);
    stats_load_record(t, "r1", "p1", 7, "first");
    stats_load_record(t, "r2", "p1", 3, "second");
    stats_load_record(t, "r3", "p1", 1, "never seen");
    stats_load_record(t, "r9", "p9", 1, "stranger");
}
