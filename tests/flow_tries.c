/* How often an event was tried is counted on, whatever fails or is killed between its tries. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "support/outside_stage.h"
#include "support/pause.h"
#include "support/post_server.h"
#include "support/work.h"

enum { TRIES = 4, COUNT = 3 };

struct stage {
    struct outside o;
    struct post_server *endpoint;
    int requests;
};

static void never_done(void *context, const struct post_request *request, struct post_reply *reply)
{
    struct stage *st = context;
    json_t *events = post_request_events(request);

    st->requests++;
    reply->status = 200;
    for (size_t i = 0; i < json_array_size(events); i++)
        buf_printf(&reply->body, "%s{\"outcome\":\"retry\",\"reason\":\"not yet\"}", i ? "," : "[");
    buf_add_char(&reply->body, ']');
    json_decref(events);
}

static int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);
    char ini[500];

    assert_non_null(st);
    st->endpoint = post_server_start(never_done, st);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue q]\nevents = **\n[handler mine]\ntype = post\n"
             "queue = q\nschedule = at once\ntries = %d\nparallel = 1\nurl = %s\n",
             TRIES, post_server_url(st->endpoint));
    outside_open(&st->o, ini);
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    outside_close(&st->o);
    post_server_free(st->endpoint);
    free(st);
    return 0;
}

static int requests(struct stage *st)
{
    int count;

    post_server_lock(st->endpoint);
    count = st->requests;
    post_server_unlock(st->endpoint);
    return count;
}

/* Passes, also those that fail, until so many requests came or an event is dead. */
static void pass_until(struct stage *st, int wanted)
{
    int64_t until_ms = clock_monotonic_ms() + OUTSIDE_PATIENCE_MS;
    struct error err;
    size_t taken;

    if (!st->o.lane)
        st->o.lane = work_open(st->o.scene, "mine");
    while (requests(st) < wanted && lane_tally(st->o.lane).dead == 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        if (!lane_pass(st->o.lane, 0, &taken, &err))
            pause_ms(5);
        pause_ms(2);
    }
}

/* untold: tries at most whose end came before anybody could note them. */
static void check_dead(struct stage *st, int untold)
{
    assert_in_range(requests(st), TRIES, TRIES + untold);
    assert_int_equal(outside_letters(&st->o, 1)->tries, TRIES);
}

static void links_that_fail_give_an_event_no_try_back(void **state)
{
    struct stage *st = *state;

    outside_append(&st->o, 0, 1);
    for (int tried = 1; tried < TRIES; tried++) {
        pass_until(st, tried);
        scene_redis(st->o.scene, "CLIENT KILL TYPE normal");
    }
    pass_until(st, TRIES + 1);
    check_dead(st, 0);
}

static void a_clean_stop_gives_an_event_no_try_back(void **state)
{
    struct stage *st = *state;

    outside_append(&st->o, 0, 1);
    for (int tried = 1; tried < TRIES; tried++) {
        pass_until(st, tried);
        outside_close_lane(&st->o);
    }
    pass_until(st, TRIES + 1);
    check_dead(st, 0);
}

/* By Redis's account. A kill that comes before it is a try that nobody knows of. */
static int64_t noted_tries(struct stage *st)
{
    const struct reply *pending = scene_redis(st->o.scene, "XPENDING crier:{q}:stream mine - + 1");

    return pending->count == 1 ? pending->items[0].items[3].integer / 1000 : 0;
}

static bool group_is_there(struct stage *st)
{
    return scene_redis(st->o.scene, "XINFO GROUPS crier:{q}:stream")->count > 0;
}

static void a_kill_gives_an_event_no_try_back(void **state)
{
    struct stage *st = *state;
    int64_t until_ms = clock_monotonic_ms() + OUTSIDE_PATIENCE_MS;
    int kills = 0;

    outside_append(&st->o, 0, 1);
    st->o.serve = crier_serve_start(st->o.scene->config_path);
    for (int tried = 1; tried < TRIES; tried++) {
        while (!group_is_there(st) || noted_tries(st) < tried) {
            assert_true(clock_monotonic_ms() < until_ms);
            pause_ms(20);
        }
        outside_kill(&st->o); /* maybe in the middle of a try that began meanwhile */
        kills++;
    }
    while (scene_redis(st->o.scene, "XLEN crier:{q}:dead")->integer == 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(20);
    }
    server_stop(st->o.serve);
    check_dead(st, kills);
}

static void events_that_were_tried_more_or_less_often_are_each_counted_for_itself(void **state)
{
    struct stage *st = *state;
    struct dead_letter *letters;

    outside_append(&st->o, 0, COUNT);
    pass_until(st, 2);
    outside_append(&st->o, COUNT, COUNT);
    outside_work(&st->o, 0, 2 * COUNT);
    letters = outside_letters(&st->o, 2 * COUNT);
    for (int i = 0; i < 2 * COUNT; i++)
        assert_int_equal(letters[i].tries, TRIES);
}

#define OF(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OF(links_that_fail_give_an_event_no_try_back),
        OF(a_clean_stop_gives_an_event_no_try_back),
        OF(a_kill_gives_an_event_no_try_back),
        OF(events_that_were_tried_more_or_less_often_are_each_counted_for_itself),
    };

    http_global_init();
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
