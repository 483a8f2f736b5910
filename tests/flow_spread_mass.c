/* Changes with so many documents that they are spread aside, what dies on the way, and what others do meanwhile. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "scheduler/lane.h"
#include "support/fault_proxy.h"
#include "support/search_index.h"
#include "support/spread_stage.h"
#include "support/work.h"

static int setup_mass(void **state)
{
    *state = spread_stage_open(NULL, "mass = 100\nrate = 0\nsecond_look = 0s\npage = 100\n");
    return 0;
}

static int setup_slow_mass(void **state)
{
    *state = spread_stage_open(NULL, "mass = 100\nrate = 60\nsecond_look = 0s\npage = 50\n");
    return 0;
}

static int setup_events(void **state)
{
    *state = spread_stage_open(NULL, "mass_events = user.*\nsecond_look = 0s\n");
    return 0;
}

static int setup_kill(void **state)
{
    *state = spread_stage_open(NULL, "mass = 1000\nrate = 0\nsecond_look = 0s\npage = 50\n");
    return 0;
}

static int setup_kill_interactive(void **state)
{
    *state = spread_stage_open(NULL, "mass = 0\nsecond_look = 0s\npage = 20\n");
    return 0;
}

static int teardown(void **state)
{
    spread_stage_close(*state);
    return 0;
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void assert_printed(struct scene *s, const char *verb, const char *argument, const char *wanted)
{
    char *out = NULL;

    crier_run(&out, (const char *const[]){verb, "--config", s->config_path, "--json", argument, NULL});
    if (!out || !strstr(out, wanted))
        fail_msg("%s says %s, not %s", verb, out ? out : "nothing", wanted);
    free(out);
}

static void a_subject_in_many_documents_is_spread_aside_each_written_once(void **state)
{
    struct scene *s = *state;
    int64_t writes;

    spread_stage_load(s, 1200, 3, 7);
    spread_stage_load(s, 60, 1, 7); /* of user 0, too: 440; 380 of each other */
    writes = index_writes(s->settings, "members");
    spread_stage_append(s, 0, 2);
    work_off(s, "members");
    assert_int_equal(spread_stage_pending(s), 0);
    assert_int_equal(spread_stage_count(s, 0, 2), 0);
    assert_printed(s, "handlers", NULL, "\"later\": 1");
    assert_printed(s, "status", NULL, "\"later\":1");
    spread_stage_append(s, 0, 3); /* nothing is searched for it now */
    work_off(s, "members");
    assert_printed(s, "run", "members", "\"later\":440");
    assert_int_equal(spread_stage_count(s, 0, 3), 440);
    assert_int_equal(index_writes(s->settings, "members") - writes, 440);
    assert_printed(s, "status", NULL, "\"later\":0");
}

static void events_named_for_it_are_spread_aside_whatever_their_size(void **state)
{
    struct scene *s = *state;

    spread_stage_load(s, 10, 2, 7);
    spread_stage_append(s, 1, 2);
    work_off(s, "members");
    assert_int_equal(spread_stage_count(s, 1, 2), 0);
    assert_true(spread_stage_run(s));
    assert_int_equal(spread_stage_count(s, 1, 2), 5);
}

/* A run by the clock beside the test. */
struct clock_side {
    struct scene *scene;
    pthread_t thread;
    atomic_bool over;
};

static void *clock_side_main(void *context)
{
    struct clock_side *c = context;

    assert_true(spread_stage_run(c->scene));
    atomic_store(&c->over, true);
    return NULL;
}

static void start_clock(struct clock_side *c, struct scene *s)
{
    *c = (struct clock_side){.scene = s};
    pthread_create(&c->thread, NULL, clock_side_main, c);
}

/* 600 documents at 60 a second take ten seconds. */
static void an_interactive_change_does_not_wait_for_a_mass_update(void **state)
{
    struct scene *s = *state;
    struct clock_side clock;

    spread_stage_load(s, 600, 1, 7);
    for (int i = 600; i < 610; i++)
        spread_stage_write(s, i, 1, 7, "old");
    spread_stage_append(s, 0, 2);
    work_off(s, "members");
    start_clock(&clock, s);
    while (spread_stage_count(s, 0, 2) == 0)
        sleep_ms(10);
    spread_stage_append(s, 1, 2);
    work_off(s, "members");
    assert_false(atomic_load(&clock.over));
    assert_int_equal(spread_stage_count(s, 1, 2), 10);
    pthread_join(clock.thread, NULL);
    assert_int_equal(spread_stage_count(s, 0, 2), 600);
}

static void a_subject_that_changes_again_on_the_way_ends_at_its_highest_revision(void **state)
{
    struct scene *s = *state;
    struct clock_side clock;

    spread_stage_load(s, 400, 1, 7);
    spread_stage_append(s, 0, 2);
    work_off(s, "members");
    start_clock(&clock, s);
    while (spread_stage_count(s, 0, 2) == 0)
        sleep_ms(10);
    spread_stage_append(s, 0, 9);
    spread_stage_append(s, 0, 5);
    work_off(s, "members");
    assert_false(atomic_load(&clock.over));
    pthread_join(clock.thread, NULL);
    assert_int_equal(spread_stage_count(s, 0, 9), 400);
    assert_printed(s, "handlers", NULL, "\"later\": 0");
}

/* ------------------------------------------------------------------------------------------------- what dies on the
 * way */

enum { DOCUMENTS = 4000, KILLS = 3 };

/*
 * A page under way when the process dies may be carried out after the next process has begun; so that many may be
 * written twice at most.
 */
static void kill_on_the_way(struct scene *s, int pages)
{
    int64_t writes, most = DOCUMENTS + KILLS * pages;
    struct server *serve;

    spread_stage_load(s, DOCUMENTS, 1, 7);
    writes = index_writes(s->settings, "members");
    serve = crier_serve_start(s->config_path);
    spread_stage_append(s, 0, 2);
    for (int i = 0; i < KILLS; i++) {
        int64_t until_ms = clock_monotonic_ms() + 60000, there = spread_stage_count(s, 0, 2);

        while (spread_stage_count(s, 0, 2) == there && there < DOCUMENTS && clock_monotonic_ms() < until_ms)
            sleep_ms(5);
        server_kill(serve);
        server_restart(serve);
    }
    spread_stage_wait(s, 0, 2, DOCUMENTS);
    server_stop(serve);
    server_free(serve);
    assert_in_range(index_writes(s->settings, "members") - writes, DOCUMENTS, most);
}

static void a_mass_update_killed_on_its_way_is_gone_on_with(void **state)
{
    kill_on_the_way(*state, 50);
}

static void a_change_killed_on_its_way_is_gone_on_with(void **state)
{
    kill_on_the_way(*state, 2 * 20);
}

/* Many pages, and far from half a deadline's work, after which the clock would be left with what Redis forgets. */
enum { FEWER = 1000 };

/* The event is read and its documents half written when Redis forgets everything. */
struct pass {
    struct lane *lane;
    pthread_t thread;
};

static void *pass_main(void *context)
{
    struct pass *p = context;
    struct error err;
    size_t taken;

    if (!lane_pass(p->lane, 0, &taken, &err))
        print_message("%s\n", err.text);
    return NULL;
}

static void a_redis_emptied_on_the_way_stops_nothing(void **state)
{
    struct scene *s = *state;
    struct pass p = {.lane = work_open(s, "members")};
    struct error err;
    size_t taken = 1;

    spread_stage_load(s, FEWER, 1, 7);
    spread_stage_append(s, 0, 2);
    pthread_create(&p.thread, NULL, pass_main, &p);
    while (spread_stage_count(s, 0, 2) == 0)
        sleep_ms(5);
    scene_redis(s, "FLUSHALL");
    pthread_join(p.thread, NULL);
    spread_stage_wait(s, 0, 2, FEWER);
    spread_stage_append(s, 0, 3);
    while (taken > 0 || spread_stage_count(s, 0, 3) < FEWER)
        if (!lane_pass(p.lane, 0, &taken, &err))
            print_message("%s\n", err.text);
    assert_true(spread_stage_run(s));
    lane_leave(p.lane);
    lane_free(p.lane);
}

/* ------------------------------------------------------------------------------------------------------ bad servers */

static void pass_until_done(struct scene *s, struct fault_proxy *proxy, struct lane *lane, const struct fault *fault,
                            int revision)
{
    struct scene direct = *s;
    struct settings past = *s->settings;
    int64_t until_ms = clock_monotonic_ms() + 60000;
    struct error err;
    size_t taken;

    past.opensearch.url = (char *)(uintptr_t)opensearch_server_url(opensearch_server_start());
    direct.settings = &past;
    fault_proxy_set(proxy, NULL);
    spread_stage_append(s, 0, revision);
    fault_proxy_set(proxy, fault);
    while (spread_stage_pending(s) > 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("revision %d is not spread", revision);
        if (!lane_pass(lane, 0, &taken, &err))
            sleep_ms(20);
    }
    if (scene_redis(s, "ZCARD crier:{changes}:mass:members")->integer > 0) { /* it took half a deadline */
        fault_proxy_set(proxy, NULL);
        spread_stage_run_until(s, 0, revision, 500);
    }
    assert_int_equal(spread_stage_count(&direct, 0, revision), 500);
}

static void what_goes_wrong_at_the_server_is_done_again_until_it_went_well(void **state)
{
    static const struct fault faults[] = {
        {.path_with = "_bulk", .item_status = 429, .item_every = 3,        .times = 4},
        {.path_with = "_bulk",                    .item_status = 503,                   .item_every = 7,    .times = 4},
        {.path_with = "_bulk",          .status = 429,                            .times = 3                           },
        {.path_with = "_bulk",          .link = FAULT_RESET_AFTER, .times = 3},
        {.path_with = "_bulk",          .link = FAULT_CUT_REPLY,                            .times = 3                                                      },
        {.path_with = "_bulk",          .link = FAULT_ITEM_MISSING, .times = 3},
        {.path_with = "_search",          .status = 503,                            .times = 4                                                                               },
        {.path_with = "_search",          .link = FAULT_CUT_ITEM_LIST, .times = 5},
        {.path_with = "_search",          .link = FAULT_RESET_BEFORE,                            .times = 5                                                                                                          },
        {.path_with = "_refresh",          .status = 429, .times = 2},
    };
    struct fault_proxy *proxy = fault_proxy_start(server_port(opensearch_server_start()));
    struct scene *s = spread_stage_open(fault_proxy_url(proxy), "page = 100\nsecond_look = 0s\n");
    struct lane *lane = work_open(s, "members");

    *state = s;
    spread_stage_load(s, 500, 1, 7);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        pass_until_done(s, proxy, lane, &faults[i], (int)i + 2);
    pass_until_done(s, proxy, lane, &(const struct fault){.path_with = "_stats", .status = 403}, 50);
    fault_proxy_set(proxy, NULL);
    for (int i = 0; i < 500; i += 100)
        assert_int_equal(spread_stage_version(s, i), 7);
    lane_leave(lane);
    lane_free(lane);
    spread_stage_close(s);
    fault_proxy_free(proxy);
}

struct deleter {
    struct fault_proxy *proxy;
    struct settings past; /* the proxy */
};

/* The platform deletes a document at the version it has; after that the index is busy for some requests. */
static void delete_and_be_busy(void *context)
{
    struct deleter *d = context;
    char line[200];

    snprintf(line, sizeof line,
             "{\"delete\":{\"_index\":\"%smembers\",\"_id\":\"m00000\",\"version\":7,\"version_type\":"
             "\"external_gte\"}}\n",
             d->past.opensearch.prefix);
    index_bulk(&d->past, line);
    fault_proxy_set(d->proxy, &(struct fault){.path_with = "_bulk", .item_status = 429, .item_every = 1, .times = 6});
}

static void what_a_busy_index_keeps_from_being_deleted_again_is_deleted_later(void **state)
{
    struct deleter d = {.proxy = fault_proxy_start(server_port(opensearch_server_start()))};
    struct scene *s = spread_stage_open(fault_proxy_url(d.proxy), "second_look = 0s\n");

    (void)state;
    d.past = *s->settings;
    d.past.opensearch.url = (char *)(uintptr_t)opensearch_server_url(opensearch_server_start());
    spread_stage_load(s, 3, 1, 7);
    fault_proxy_set(d.proxy,
                    &(struct fault){.path_with = "_bulk", .times = 1, .meanwhile = delete_and_be_busy, .context = &d});
    spread_stage_append(s, 0, 2);
    work_off(s, "members");
    fault_proxy_set(d.proxy, NULL);
    assert_int_equal(spread_stage_count(s, 0, 2), 2);
    assert_int_equal(index_count(s->settings, "members"), 2);
    spread_stage_close(s);
    fault_proxy_free(d.proxy);
}

#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_subject_in_many_documents_is_spread_aside_each_written_once, setup_mass),
        TEST(events_named_for_it_are_spread_aside_whatever_their_size, setup_events),
        TEST(an_interactive_change_does_not_wait_for_a_mass_update, setup_slow_mass),
        TEST(a_subject_that_changes_again_on_the_way_ends_at_its_highest_revision, setup_slow_mass),
        TEST(a_mass_update_killed_on_its_way_is_gone_on_with, setup_kill),
        TEST(a_change_killed_on_its_way_is_gone_on_with, setup_kill_interactive),
        TEST(a_redis_emptied_on_the_way_stops_nothing, setup_kill_interactive),
        cmocka_unit_test(what_a_busy_index_keeps_from_being_deleted_again_is_deleted_later),
        cmocka_unit_test(what_goes_wrong_at_the_server_is_done_again_until_it_went_well),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
