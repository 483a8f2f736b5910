#include "support/click_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "notifier/stream.h"
#include "scheduler/lane.h"
#include "support/search_index.h"
#include "support/work.h"

#define INI_WITHOUT_SEARCH                                                                                             \
    "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue statistics]\nevents = record-view\n"                   \
    "[event record-view]\nunique = data.recid data.visitor\nclicks = cop51\n"                                          \
    "[handler views]\ntype = statistics\nqueue = statistics\nparallel = 4\nschedule = at once\n"                       \
    "index = views-{time:%Y-%m-%d}\nalias = views\nupdated_field = updated_timestamp\n"                                \
    "fields = recid:keyword visitor:keyword\n"                                                                         \
    "[handler views-agg]\ntype = aggregate\nof = views\nqueue = statistics\nfield = recid\ninterval = day\n"           \
    "index = agg-{time:%Y-%m}\nmetrics = unique_count=cardinality(visitor)\nwhere = counted!=false\n"                  \
    "fields = recid:keyword count:integer unique_count:integer\n"

static unsigned seed_of_run(void)
{
    const char *given = getenv("CRIER_SEED");
    unsigned seed = given && *given ? (unsigned)atoi(given) : (unsigned)random_below(1000000);

    print_message("CRIER_SEED=%u\n", seed);
    return seed;
}

int click_stage_open(void **state)
{
    struct click_stage *st = calloc(1, sizeof *st);

    assert_non_null(st);
    st->scene = scene_open("[opensearch]\nurl = SEARCH\nprefix = PREFIX\n" INI_WITHOUT_SEARCH);
    st->seed = seed_of_run();
    *state = st;
    return 0;
}

int click_stage_open_with_proxy(void **state)
{
    struct click_stage *st = calloc(1, sizeof *st);
    char ini[2000];

    assert_non_null(st);
    st->proxy = fault_proxy_start(server_port(opensearch_server_start()));
    snprintf(ini, sizeof ini, "[opensearch]\nurl = %s\nprefix = PREFIX\n%s", fault_proxy_url(st->proxy),
             INI_WITHOUT_SEARCH);
    st->scene = scene_open(ini);
    st->seed = seed_of_run();
    *state = st;
    return 0;
}

int click_stage_close(void **state)
{
    struct click_stage *st = *state;

    if (st->proxy)
        fault_proxy_set(st->proxy, NULL);
    index_delete(st->scene->settings, "views-*");
    index_delete(st->scene->settings, "agg-*");
    scene_close(st->scene);
    fault_proxy_free(st->proxy);
    free(st);
    return 0;
}

int click_stage_below(struct click_stage *st, int limit)
{
    return rand_r(&st->seed) % limit;
}

/* --------------------------------------------------------------------------------------------------- clicks */

void click_stage_add(struct click_stage *st, int visitor, int record, int64_t time_us)
{
    struct made_click *c = &st->clicks[st->count];

    assert_in_range(st->count, 0, CLICKS_MOST - 1);
    snprintf(c->id, sizeof c->id, "%08d%08zu", click_stage_below(st, 100000000), st->count);
    c->visitor = visitor;
    c->record = record;
    c->time_us = time_us;
    st->count++;
}

struct event click_stage_event(struct click_stage *st, const struct made_click *c)
{
    struct scene *s = st->scene;
    char text[TIME_TEXT_BYTES];
    struct event e =
        scene_event(s, "record-view", c->id, NULL, -1,
                    arena_printf(s->arena, "{\"recid\":\"r%d\",\"visitor\":\"v%d\"}", c->record, c->visitor));

    e.time_us = c->time_us;
    e.time = span_of(arena_text(s->arena, time_text(c->time_us, text)));
    e.click = span_of(arena_printf(s->arena, "%08x%08x", (unsigned)c->visitor, (unsigned)c->record));
    return e;
}

void click_stage_append(struct click_stage *st, const size_t *order, size_t count)
{
    struct event *events = calloc(count, sizeof *events);

    assert_non_null(events);
    for (size_t i = 0; i < count; i++)
        events[i] = click_stage_event(st, &st->clicks[order ? order[i] : i]);
    scene_append(st->scene, events, count);
    free(events);
}

void click_stage_append_all(struct click_stage *st)
{
    click_stage_append(st, NULL, st->count);
}

void click_stage_forget_seen(struct click_stage *st)
{
    const struct reply *keys = scene_redis(st->scene, "KEYS crier:{statistics}:seen:*");

    for (size_t i = 0; i < keys->count; i++)
        scene_redis(st->scene, "DEL %s", keys->items[i].text);
}

void click_stage_forget_clicks(struct click_stage *st)
{
    const struct reply *keys = scene_redis(st->scene, "KEYS crier:{statistics}:clicks:*");

    assert_true(keys->count > 0);
    for (size_t i = 0; i < keys->count; i++)
        scene_redis(st->scene, "DEL %s", keys->items[i].text);
}

/* ------------------------------------------------------------------------------------------------- the model */

static int by_place(const void *a, const void *b)
{
    const struct made_click *x = a, *y = b;

    if (x->visitor != y->visitor)
        return x->visitor < y->visitor ? -1 : 1;
    if (x->record != y->record)
        return x->record < y->record ? -1 : 1;
    if (x->time_us != y->time_us)
        return x->time_us < y->time_us ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* "id true\n" or "id false\n" each, sorted by id: what the documents must say. */
static char *expected(const struct click_stage *st)
{
    struct made_click *sorted = calloc(st->count, sizeof *sorted);
    char **lines = calloc(st->count, sizeof *lines);
    struct buf out = BUF_INIT;

    assert_non_null(sorted);
    assert_non_null(lines);
    memcpy(sorted, st->clicks, st->count * sizeof *sorted);
    qsort(sorted, st->count, sizeof *sorted, by_place);
    for (size_t i = 0; i < st->count; i++) {
        const struct made_click *c = &sorted[i], *next = i + 1 < st->count ? c + 1 : NULL;
        bool followed = next && next->visitor == c->visitor && next->record == c->record &&
                        next->time_us - c->time_us <= 30 * SECOND_US;

        buf_printf(&out, "%s %s\n", c->id, followed ? "false" : "true");
        lines[i] = buf_take(&out);
    }
    for (size_t i = 1; i < st->count; i++)
        for (size_t at = i; at > 0 && strcmp(lines[at - 1], lines[at]) > 0; at--) {
            char *kept = lines[at];

            lines[at] = lines[at - 1];
            lines[at - 1] = kept;
        }
    for (size_t i = 0; i < st->count; i++) {
        buf_add_text(&out, lines[i]);
        free(lines[i]);
    }
    free(lines);
    free(sorted);
    return buf_take(&out);
}

/* ------------------------------------------------------------------------------------------- what was counted */

static json_t *documents(struct click_stage *st)
{
    char path[200];

    index_count(st->scene->settings, "views-*"); /* refreshes */
    snprintf(path, sizeof path, "/%sviews/_search?size=10000&sort=_id", st->scene->settings->opensearch.prefix);
    return index_ask(st->scene->settings, "GET", path, NULL);
}

void click_stage_check(struct click_stage *st)
{
    json_t *answer = documents(st);
    const json_t *hits = json_at(answer, "hits.hits");
    char *wanted = expected(st);
    struct buf found = BUF_INIT;

    for (size_t i = 0; i < json_array_size(hits); i++) {
        const json_t *hit = json_array_get(hits, i), *counted = json_at(hit, "_source.counted");

        buf_printf(&found, "%s %s\n", json_member_text(hit, "_id", ""),
                   json_is_true(counted)    ? "true"
                   : json_is_false(counted) ? "false"
                                            : "?");
    }
    assert_int_equal(json_array_size(hits), st->count);
    assert_string_equal(found.data, wanted);
    buf_release(&found);
    free(wanted);
    json_decref(answer);
}

void click_stage_totals_are(struct click_stage *st, size_t total, size_t unique)
{
    json_t *answer = documents(st), *uniques = json_object();
    const json_t *hits = json_at(answer, "hits.hits");
    size_t counted = 0;

    for (size_t i = 0; i < json_array_size(hits); i++) {
        const json_t *source = json_object_get(json_array_get(hits, i), "_source");
        char key[60];

        if (json_is_false(json_object_get(source, "counted")))
            continue;
        counted++;
        snprintf(key, sizeof key, "%s %s", json_member_text(source, "visitor", ""),
                 json_member_text(source, "recid", ""));
        json_object_set_new(uniques, key, json_true());
    }
    assert_int_equal(counted, total);
    assert_int_equal(json_object_size(uniques), unique);
    json_decref(uniques);
    json_decref(answer);
}

/* ------------------------------------------------------------------------------------------------- the workers */

static void *work(void *context)
{
    struct click_worker *w = context;
    struct error err;
    size_t taken;

    while (!atomic_load(&w->crew->end))
        if (!lane_pass(w->lane, 20, &taken, &err) || taken == 0)
            nanosleep(&(struct timespec){0, 5000000}, NULL);
    lane_leave(w->lane);
    return NULL;
}

static bool all_done(struct click_stage *st)
{
    struct scene *s = st->scene;
    struct queue_state state;
    struct error err;

    if (!stream_state(s->redis, "statistics", s->arena, &state, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < state.group_count; i++)
        if (text_same(state.groups[i].name, "views"))
            return state.groups[i].waiting == 0 && state.groups[i].pending == 0;
    return false;
}

void click_stage_wait(struct click_stage *st)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!all_done(st)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("events are still not done");
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
}

void click_crew_start(struct click_crew *crew, struct click_stage *st)
{
    const struct handler_settings *hs = settings_handler(st->scene->settings, "views");
    struct error err;

    atomic_store(&crew->end, false);
    for (int i = 0; i < 2; i++)
        work_is_alive(st->scene, arena_printf(st->scene->arena, "process%d", i));
    for (int i = 0; i < LANES; i++) {
        char *process = arena_printf(st->scene->arena, "process%d", i / 2);

        crew->workers[i].crew = crew;
        crew->workers[i].lane = lane_new(st->scene->settings, hs, process, i % 2, &err);
        if (!crew->workers[i].lane || (i == 0 && !lane_install(crew->workers[i].lane, &err)))
            fail_msg("%s", err.text);
        pthread_create(&crew->workers[i].thread, NULL, work, &crew->workers[i]);
    }
}

void click_crew_end(struct click_crew *crew)
{
    atomic_store(&crew->end, true);
    for (int i = 0; i < LANES; i++) {
        pthread_join(crew->workers[i].thread, NULL);
        lane_free(crew->workers[i].lane);
    }
}
