/* Audit entries, and events of a history, go when their time is over, each action after its own, and no other does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "handlers/handler.h"
#include "scheduler/clock_lane.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[queue q]\nevents = **\n"
                          "[handler trail]\ntype = audit\nqueue = q\nindex = kept-{time:%Y}\n"
                          "[handler keeper]\ntype = retain\nqueue = q\nschedule = every 24h\nretain = 30d\npage = 3\n"
                          "retain_actions = file.downloaded=2d security.**=0s security2.*=90d deep.*=1d\n"
                          "[handler past]\ntype = history\nqueue = q\nindex = past-{time:%Y}\n"
                          "[handler forgetter]\ntype = retain\nof = past\nqueue = q\nschedule = every 24h\n"
                          "retain = 30d\npage = 3\n"
                          "retain_actions = file.downloaded=2d security.**=0s security2.*=90d deep.*=1d\n";

static int setup(void **state)
{
    *state = scene_open(ini);
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "kept-*");
    index_delete(s->settings, "past-*");
    scene_close(s);
    return 0;
}

/* An entry of so many days ago, its id "TYPE-DAYS". */
static void enter(struct scene *s, const char *type, int days)
{
    char time[TIME_TEXT_BYTES];
    char *id = arena_printf(s->arena, "%s-%d", type, days);
    struct event e = scene_event(s, type, id, "things/1", 1, "{}");

    e.time_us = (clock_wall_us() / US_PER_SECOND - (int64_t)days * 24 * 3600) * US_PER_SECOND;
    e.time = span_of(arena_text(s->arena, time_text(e.time_us, time)));
    scene_append(s, &e, 1);
}

static void run(struct scene *s, const char *handler)
{
    const char *arguments[] = {"run", handler, "--config", s->config_path, NULL};
    char *out;

    if (crier_run(&out, arguments) != 0)
        fail_msg("%s", out);
    free(out);
}

static void assert_kept(struct scene *s, const char *pattern, const char *const kept[], const char *const gone[])
{
    char *entries = index_dump(s->settings, pattern), line[100];

    for (size_t i = 0; kept[i]; i++) {
        snprintf(line, sizeof line, "\"id\":\"%s\"", kept[i]);
        if (!strstr(entries, line))
            fail_msg("%s is gone", kept[i]);
    }
    for (size_t i = 0; gone[i]; i++) {
        snprintf(line, sizeof line, "\"id\":\"%s\"", gone[i]);
        if (strstr(entries, line))
            fail_msg("%s is still there", gone[i]);
    }
    free(entries);
}

static const char *const kept[] = {"file.downloaded-1",   "security.login-400", "security-400",    "security2.x-60",
                                   "record.published-29", "deep.a.b-29",        "file.uploaded-5", NULL};
static const char *const gone[] = {"file.downloaded-3", "security2.x-91", "record.published-31",
                                   "deep.a-2",          "deep.a.b-31",    NULL};
static const struct {
    const char *type;
    int days;
} entries[] = {
    {"file.downloaded",  1  },
    {"file.downloaded",  3  },
    {"security.login",   400},
    {"security",         400},
    {"security2.x",      60 },
    {"security2.x",      91 },
    {"record.published", 29 },
    {"record.published", 31 },
    {"deep.a",           2  },
    {"deep.a.b",         29 },
    {"deep.a.b",         31 },
    {"file.uploaded",    5  },
};

static void enter_all(struct scene *s, const char *handler)
{
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++)
        enter(s, entries[i].type, entries[i].days);
    work_off(s, handler);
}

static void each_action_is_kept_for_its_own_time(void **state)
{
    struct scene *s = *state;
    char *after;

    enter_all(s, "trail");
    assert_int_equal(index_count(s->settings, "kept-*"), ARRAY_LENGTH(entries));
    run(s, "keeper");
    assert_kept(s, "kept-*", kept, gone);
    work_off(s, "trail"); /* what was deleted is itself an entry */
    after = index_dump(s->settings, "kept-*");
    assert_non_null(strstr(after, "\"action\":\"crier.audit.expired\""));
    assert_non_null(strstr(after, "\"data\":{\"deleted\":5}"));
    free(after);
}

static void so_is_each_type_of_event_in_a_history(void **state)
{
    struct scene *s = *state;
    char *entries_after;

    enter_all(s, "past");
    assert_int_equal(index_count(s->settings, "past-*"), ARRAY_LENGTH(entries));
    run(s, "forgetter");
    assert_kept(s, "past-*", kept, gone);
    work_off(s, "trail");
    entries_after = index_dump(s->settings, "kept-*");
    assert_non_null(strstr(entries_after, "\"action\":\"crier.history.expired\""));
    assert_non_null(strstr(entries_after, "\"id\":\"file.downloaded-3\"")); /* the audit keeps its own */
    free(entries_after);
}

static void more_than_a_page_goes_and_a_second_run_finds_nothing(void **state)
{
    struct scene *s = *state;

    for (int i = 0; i < 20; i++)
        enter(s, "file.downloaded", 10 + i);
    enter(s, "file.downloaded", 1);
    work_off(s, "trail");
    assert_int_equal(index_count(s->settings, "kept-*"), 21);
    run(s, "keeper");
    assert_int_equal(index_count(s->settings, "kept-*"), 1);
    run(s, "keeper");
    assert_int_equal(index_count(s->settings, "kept-*"), 1);
}

/* How many entries say that the keeper ran, and in *last the newest of them; yours to free. */
static size_t runs_said(struct scene *s, char **last)
{
    static const char ran[] = "\"action\":\"crier.handler.ran\"";
    size_t count = 0;
    char *trail, *at;

    work_off(s, "trail");
    trail = index_dump(s->settings, "kept-*");
    *last = NULL;
    for (at = trail; (at = strstr(at, ran)); at++, count++) {
        free(*last);
        *last = strndup(at, strcspn(at, "\n"));
    }
    free(trail);
    return count;
}

static void a_run_that_did_something_is_an_entry_and_one_that_did_nothing_is_none(void **state)
{
    struct scene *s = *state;
    char *last;

    enter(s, "file.downloaded", 10);
    enter(s, "file.downloaded", 11);
    work_off(s, "trail");
    assert_int_equal(index_count(s->settings, "kept-*"), 2); /* refreshes */
    run(s, "keeper");
    assert_int_equal(runs_said(s, &last), 1);
    assert_non_null(strstr(last, "\"outcome\":\"success\""));
    assert_non_null(strstr(last, "\"actor\":{\"kind\":\"operators\""));
    assert_non_null(strstr(last, "\"resource\":{\"kind\":\"handlers\",\"id\":\"keeper\"}"));
    assert_non_null(strstr(last, "\"runs\":1,\"items\":2,"));
    free(last);
    run(s, "keeper");
    assert_int_equal(runs_said(s, &last), 1);
    free(last);
}

static void clock_run(struct scene *s, struct clock_lane *l, int days)
{
    struct error err;
    bool elsewhere;

    enter(s, "file.downloaded", days);
    work_off(s, "trail");
    index_count(s->settings, "kept-*"); /* refreshes */
    if (!clock_lane_run(l, 1000, &elsewhere, &err))
        fail_msg("%s", err.text);
    assert_false(elsewhere);
}

static void runs_that_follow_one_another_are_one_entry_with_their_sums(void **state)
{
    struct scene *s = *state;
    struct stop *stop = stop_new();
    struct error err;
    struct clock_lane *l = clock_lane_new(s->settings, settings_handler(s->settings, "keeper"), "here", stop, &err);
    char *last;

    assert_non_null(l);
    for (int days = 10; days < 13; days++)
        clock_run(s, l, days);
    assert_int_equal(runs_said(s, &last), 1); /* the first */
    assert_non_null(strstr(last, "\"actor\":{\"kind\":\"services\",\"id\":\"here\"}"));
    assert_non_null(strstr(last, "\"runs\":1,\"items\":1,"));
    free(last);
    clock_lane_tell(l);
    clock_lane_tell(l); /* of nothing */
    assert_int_equal(runs_said(s, &last), 2);
    free(last);
    last = index_dump(s->settings, "kept-*");
    assert_non_null(strstr(last, "\"runs\":2,\"items\":2,"));
    free(last);
    clock_lane_free(l);
    stop_free(stop);
}

/* Nothing says of it that it lives. */
static void what_a_process_did_that_is_gone_is_said_by_the_next(void **state)
{
    struct scene *s = *state;
    struct stop *stop = stop_new();
    struct error err;
    struct clock_lane *l = clock_lane_new(s->settings, settings_handler(s->settings, "keeper"), "gone", stop, &err);
    char *last;

    assert_non_null(l);
    for (int days = 10; days < 13; days++)
        clock_run(s, l, days);
    clock_lane_free(l); /* as a kill leaves it: the last two runs are not said */
    assert_int_equal(runs_said(s, &last), 1);
    free(last);
    for (int times = 0; times < 2; times++) { /* the second finds nothing left */
        bool elsewhere;

        l = clock_lane_new(s->settings, settings_handler(s->settings, "keeper"), "next", stop, &err);
        if (!clock_lane_run(l, 10000, &elsewhere, &err))
            fail_msg("%s", err.text);
        clock_lane_free(l);
        assert_int_equal(runs_said(s, &last), 2);
        free(last);
    }
    last = index_dump(s->settings, "kept-*");
    assert_non_null(strstr(last, "\"id\":\"gone\"},\"resource\":{\"kind\":\"handlers\",\"id\":\"keeper\"}"));
    assert_non_null(strstr(last, "\"runs\":2,\"items\":2,"));
    free(last);
    stop_free(stop);
}

/* A run in the middle of which what it is about to delete comes again, as something of today. */
struct disturbed {
    struct clock_run run;
    struct scene *scene;
    int asked;
};

static bool comes_again(struct clock_run *run, struct error *err)
{
    struct disturbed *d = (struct disturbed *)run;

    (void)err;
    if (++d->asked != 2) /* the first page is gone by then, the others have been found */
        return true;
    for (int i = 0; i < 20; i++) {
        struct event e = scene_event(d->scene, "record.published", arena_printf(d->scene->arena, "again-%d", i),
                                     "things/1", 1, "{}");

        e.only = span_of("past");
        e.latest_wins = true;
        scene_append(d->scene, &e, 1);
    }
    work_off(d->scene, "past");
    return true;
}

static void did(struct clock_run *run, int64_t items)
{
    (void)run;
    (void)items;
}

static void what_is_written_again_meanwhile_stays(void **state)
{
    struct scene *s = *state;
    struct disturbed d = {
        .run = {comes_again, did},
          .scene = s
    };
    struct error err;
    struct handler *h = handler_new(s->settings, settings_handler(s->settings, "forgetter"), &err);
    char time[TIME_TEXT_BYTES];

    assert_non_null(h);
    for (int i = 0; i < 20; i++) {
        struct event e = scene_event(s, "record.published", arena_printf(s->arena, "again-%d", i), "things/1", 1, "{}");

        e.time_us = scene_event(s, "x.y", "x", "x/1", 1, NULL).time_us - 40 * MS_PER_DAY * 1000;
        e.time = span_of(arena_text(s->arena, time_text(e.time_us, time)));
        e.latest_wins = true;
        scene_append(s, &e, 1);
    }
    work_off(s, "past");
    assert_int_equal(index_count(s->settings, "past-*"), 20);
    if (!h->type->run(h, &d.run, &err))
        fail_msg("%s", err.text);
    assert_int_equal(index_count(s->settings, "past-*"), 20);
    handler_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_action_is_kept_for_its_own_time, setup, teardown),
        cmocka_unit_test_setup_teardown(so_is_each_type_of_event_in_a_history, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_that_did_something_is_an_entry_and_one_that_did_nothing_is_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(runs_that_follow_one_another_are_one_entry_with_their_sums, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_process_did_that_is_gone_is_said_by_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_written_again_meanwhile_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(more_than_a_page_goes_and_a_second_run_finds_nothing, setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
