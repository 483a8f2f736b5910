/* While indices get a longer interval: what readers see, what writers write, and what comes at the last moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/json.h"
#include "handlers/repair/index_merge.h"
#include "support/past.h"
#include "support/pause.h"
#include "support/process.h"
#include "support/search_index.h"

enum { EACH_MONTH = 800 };

static const char report_ini[] = "[report]\nplatform = Test Repository\nnamespace = test\nviews = views\n";

static int setup(void **state)
{
    struct buf ini = BUF_INIT;
    struct scene *s;

    buf_printf(&ini, "%s%s", past_ini, report_ini);
    s = scene_open(ini.data);
    buf_release(&ini);
    past_load(s, EACH_MONTH);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    past_lose(*state);
    scene_close(*state);
    return 0;
}

static const char *const to_years[] = {"statistics", "reindex", "views", "--suffix", "%Y", NULL};

/* What a verb says, from a word on; yours. */
static char *said(struct scene *s, const char *from, const char *verb, const char *const words[])
{
    const char *all[12] = {verb, "--config", s->config_path};
    char *out, *part;
    int code;

    for (size_t i = 0; words[i]; i++)
        all[i + 3] = words[i];
    code = crier_run(&out, all);
    if (code != 0 || !strstr(out, from))
        fail_msg("%s: exit %d: %s", verb, code, out);
    part = strdup(strstr(out, from));
    free(out);
    return part;
}

struct readings {
    char *top, *report;
};

static struct readings read_all(struct scene *s)
{
    index_count(s->settings, "stats-views"); /* all is visible */
    return (struct readings){
        said(s, "[", "stats", (const char *const[]){"top", "views-agg", "--json", NULL}),
        said(s, "\"Report_Items\"", "report",
             (const char *const[]){"cop51", "--report", "PR", "--month", "2026-08", "--to", "2026-10", NULL}),
    };
}

static void compare_and_free(struct readings r, const struct readings *wanted)
{
    assert_string_equal(r.top, wanted->top);
    assert_string_equal(r.report, wanted->report);
    free(r.top);
    free(r.report);
}

/* The same file, as an operator changes it. */
static void change_config(struct scene *s, const char *from, const char *to)
{
    struct buf text = BUF_INIT, changed = BUF_INIT;
    const char *at, *found;
    struct error err;

    assert_true(file_read(s->config_path, 1 << 20, &text, &err));
    for (at = text.data; (found = strstr(at, from)); at = found + strlen(from)) {
        buf_add(&changed, at, (size_t)(found - at));
        buf_add_text(&changed, to);
    }
    assert_true(at != text.data);
    buf_add_text(&changed, at);
    assert_true(file_replace(s->config_path, 0600, changed.data, changed.length, &err));
    buf_release(&text);
    buf_release(&changed);
}

/* A view of this month, by the name that the configuration has for it now. */
static void a_view_comes(struct scene *s, const char *id)
{
    struct event e =
        scene_event(s, "record-view", id, NULL, -1, "{\"unique_id\":\"ui_r1\",\"recid\":\"r1\",\"visitor_id\":\"w\"}");

    scene_append(s, &e, 1);
    assert_int_equal(past_crier(s, "", (const char *const[]){"run", "views", NULL}), 0);
    assert_int_equal(past_crier(s, "", (const char *const[]){"run", "views-agg", NULL}), 0);
    assert_int_equal(past_crier(s, "views-agg", (const char *const[]){"aggregations", "verify", NULL}), 0);
}

static void aggregations_statistics_and_reports_go_on_with_the_old_key_and_with_the_new(void **state)
{
    struct scene *s = *state;
    struct readings before;

    assert_int_equal(past_crier(s, "views-agg", (const char *const[]){"aggregations", "run", "--all", NULL}), 0);
    before = read_all(s);
    assert_int_equal(past_crier(s, "events-views-2026", to_years), 0);
    assert_int_equal(past_crier(s, "stats-views-2026",
                                (const char *const[]){"statistics", "reindex", "views-agg", "--suffix", "%Y", NULL}),
                     0);
    compare_and_free(read_all(s), &before);
    change_config(s, "{time:%Y-%m}", "{time:%Y}");
    compare_and_free(read_all(s), &before);
    a_view_comes(s, "by-the-new-key");
    change_config(s, "{time:%Y}", "{time:%Y-%m}");
    a_view_comes(s, "by-the-old-key");
    assert_int_equal(index_count(s->settings, "events-views"), 3 * EACH_MONTH + 2);
    assert_int_equal(index_count(s->settings, "events-views-2026"), 3 * EACH_MONTH + 2);
    free(before.top);
    free(before.report);
}

/* ---------------------------------------------------------------------------------- what comes at the last moment */

/* Makes an old index, as a late event does, once those that are there take no writes any more. */
struct late_event {
    struct clock_run run; /* first: what the work gets is this */
    struct scene *scene;
    bool came;
};

static bool come_late(struct clock_run *run, struct error *err)
{
    struct late_event *late = (struct late_event *)run;

    (void)err;
    if (!late->came && past_is_blocked(late->scene, "events-views-2026-10")) {
        late->came = true;
        past_add_view(late->scene, "late", "2026-11-03T10:00:00Z", "r1", "v1", "");
    }
    return true;
}

static void did(struct clock_run *run, int64_t items)
{
    (void)run;
    (void)items;
}

static void an_old_index_that_comes_at_the_last_moment_is_taken_along(void **state)
{
    struct scene *s = *state;
    struct late_event late = {
        .run = {come_late, did},
          .scene = s
    };
    struct handler *h;
    struct store store;
    struct error err;
    char *after;

    h = handler_new(s->settings, settings_handler(s->settings, "views"), &err);
    if (!h || !store_of(h->common, &store, &err) || !index_merge_run(h, &store, "%Y", &late.run, &err))
        fail_msg("%s", err.text);
    assert_true(late.came);
    after = past_dump(s, "events-views-2026", false);
    assert_non_null(strstr(after, "late 1793700000000000 "));
    assert_true(past_is_alias(s, "events-views-2026-11"));
    assert_int_equal(index_count(s->settings, "events-views"), 3 * EACH_MONTH + 1);
    free(after);
    handler_free(h);
}

/* ------------------------------------------------------------------------------------- a reader and a writer */

static int64_t count_by_alias(struct scene *s)
{
    char path[300];
    json_t *answer;
    int64_t count;

    snprintf(path, sizeof path, "/%sevents-views/_count", s->settings->opensearch.prefix);
    answer = index_ask(s->settings, "GET", path, NULL);
    count = json_integer_value(json_object_get(answer, "count"));
    assert_int_equal(json_integer_value(json_at(answer, "_shards.failed")), 0);
    json_decref(answer);
    return count;
}

static void append_views(struct scene *s, int *number, int count)
{
    struct event events[20];

    for (int i = 0; i < count; i++, ++*number) {
        char id[40], data[200], time[TIME_TEXT_BYTES];

        snprintf(id, sizeof id, "live%06d", *number);
        snprintf(data, sizeof data, "{\"unique_id\":\"ui_r%d\",\"recid\":\"r%d\",\"visitor_id\":\"w%d\"}", *number % 9,
                 *number % 9, *number);
        events[i] = scene_event(s, "record-view", id, NULL, -1, data);
        events[i].time_us = INT64_C(1790000000000000) - *number * INT64_C(60000000);
        events[i].time = span_of(arena_text(s->arena, time_text(events[i].time_us, time)));
    }
    scene_append(s, events, (size_t)count);
}

static pid_t begin_reindex(struct scene *s)
{
    return crier_begin(
        (const char *const[]){"statistics", "--config", s->config_path, "reindex", "views", "--suffix", "%Y", NULL});
}

static bool has_ended(pid_t child, int *status)
{
    if (waitpid(child, status, WNOHANG) != child)
        return false;
    free(crier_begun_said(child));
    return true;
}

static void readers_and_writers_notice_nothing(void **state)
{
    struct scene *s = *state;
    struct server *serve = crier_serve_start(s->config_path);
    int64_t before = count_by_alias(s), now, until_ms;
    int number = 0, status = 0;
    pid_t child;

    index_count(s->settings, "events-views"); /* all is visible */
    before = count_by_alias(s);
    assert_int_equal(before, 3 * EACH_MONTH);
    child = begin_reindex(s);
    while (!has_ended(child, &status)) {
        append_views(s, &number, 10);
        now = count_by_alias(s);
        if (now < before || now > 3 * EACH_MONTH + number)
            fail_msg("%lld documents after %lld, with %d to come", (long long)now, (long long)before, number);
        before = now;
        pause_ms(20); /* not more of them than are written in time afterwards */
    }
    assert_int_equal(status, 0);
    append_views(s, &number, 10);
    until_ms = clock_monotonic_ms() + 60000; /* a writer that met the block asks again after 30 s */
    while ((now = index_count(s->settings, "events-views")) < 3 * EACH_MONTH + number) {
        if (now < before || clock_monotonic_ms() > until_ms)
            fail_msg("%lld documents after %lld, of %d", (long long)now, (long long)before, 3 * EACH_MONTH + number);
        before = now;
        nanosleep(&(struct timespec){0, 200000000}, NULL);
    }
    assert_int_equal(now, 3 * EACH_MONTH + number);
    assert_true(past_is_index(s, "events-views-2026"));
    assert_int_equal(scene_redis(s, "XLEN crier:{views}:dead")->integer, 0);
    server_stop(serve);
    server_free(serve);
}

#define IN_THE_PAST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_THE_PAST(aggregations_statistics_and_reports_go_on_with_the_old_key_and_with_the_new),
        IN_THE_PAST(an_old_index_that_comes_at_the_last_moment_is_taken_along),
        IN_THE_PAST(readers_and_writers_notice_nothing),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
