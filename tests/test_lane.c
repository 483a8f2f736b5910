/* The worker's pass against a real Redis; OpenSearch is a proxy without a server behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "notifier/stream.h"
#include "scheduler/lane.h"
#include "support/fault_proxy.h"
#include "support/scene.h"

struct stage {
    struct scene *scene;
    struct fault_proxy *proxy;
    struct lane *lane;
};

/* An index that takes nothing: its events are held, and cost no try. */
static const struct fault blocked = {.path_with = "_bulk", .item_status = 403, .item_every = 1};

static int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);
    struct error err;
    char ini[600];

    assert_non_null(st);
    st->proxy = fault_proxy_start(port_find());
    fault_proxy_set(st->proxy, &blocked);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = %s\n[audit]\nfile =\n[queue q]\nevents = **\n"
             "[handler trail]\ntype = audit\nqueue = q\ndeadline = 4s\naction = {data.action}\nindex = audit\n",
             fault_proxy_url(st->proxy));
    st->scene = scene_open(ini);
    st->lane = lane_new(st->scene->settings, settings_handler(st->scene->settings, "trail"), "test", 0, &err);
    assert_non_null(st->lane);
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    lane_free(st->lane);
    scene_close(st->scene);
    fault_proxy_free(st->proxy);
    free(st);
    return 0;
}

static void append_numbered(struct stage *st, int count, const char *data)
{
    struct event *events = calloc((size_t)count, sizeof *events);

    assert_non_null(events);
    for (int i = 0; i < count; i++) {
        char id[20];

        snprintf(id, sizeof id, "e%d", i);
        events[i] = scene_event(st->scene, "user.updated", id, "users/1", i, data);
    }
    scene_append(st->scene, events, (size_t)count);
    free(events);
}

static size_t pass(struct stage *st, int wait_ms)
{
    struct error err;
    size_t taken;

    if (!lane_pass(st->lane, wait_ms, &taken, &err))
        fail_msg("%s", err.text);
    return taken;
}

/* Of the entry that was appended last: how often it was delivered, as Redis counts. */
static int64_t deliveries_of_last(struct stage *st)
{
    const char *last = scene_redis(st->scene, "XREVRANGE crier:{q}:stream + - COUNT 1")->items[0].items[0].text;
    const struct reply *pending = scene_redis(st->scene, "XPENDING crier:{q}:stream trail %s %s 1", last, last);

    return pending->count == 1 ? pending->items[0].items[3].integer : 0;
}

static void after_a_failed_link_all_that_is_held_is_begun_anew_however_much_it_is(void **state)
{
    enum { COUNT = 12000, PASSES = 30 };
    struct stage *st = *state;
    struct error err;
    size_t taken;

    append_numbered(st, COUNT, "{\"action\":\"x\"}");
    do
        pass(st, 0);
    while (deliveries_of_last(st) == 0);
    scene_redis(st->scene, "CLIENT KILL TYPE normal");
    while (lane_pass(st->lane, 0, &taken, &err))
        continue;
    for (int i = 0; i < PASSES && deliveries_of_last(st) < 2; i++)
        pass(st, 0);
    assert_int_equal(deliveries_of_last(st), 2);
    assert_int_equal(scene_redis(st->scene, "XPENDING crier:{q}:stream trail")->items[0].integer, COUNT);
}

static void a_pass_out_of_turn_takes_nothing_new(void **state)
{
    struct stage *st = *state;

    append_numbered(st, 3, "{\"action\":\"x\"}");
    assert_int_equal(pass(st, LANE_NOTHING_NEW), 0);
    assert_int_equal(pass(st, 0), 3);
    assert_int_equal(lane_tally(st->lane).held, 3);
}

static void what_is_held_between_passes_stays_the_lanes_own(void **state)
{
    struct stage *st = *state;
    struct stream *other = stream_new(st->scene->redis, "q", STREAM_TAIL, "trail", "other/0");
    int64_t until_ms = clock_monotonic_ms() + 9000; /* more than twice the deadline */
    struct left_behind left[5];
    struct error err;
    size_t count;

    append_numbered(st, 3, "{\"action\":\"x\"}");
    assert_true(stream_announce(st->scene->redis, "test", &err));
    assert_int_equal(pass(st, 0), 3);
    while (clock_monotonic_ms() < until_ms) {
        assert_in_range(lane_keep(st->lane), 1, 4000);
        assert_true(stream_take_over(other, left, 5, 4000, &count, &err));
        assert_int_equal(count, 0);
        usleep(20000);
    }
    stream_free(other);
}

static void an_event_that_is_dead_goes_to_the_letters_also_without_memory_in_redis(void **state)
{
    struct stage *st = *state;

    append_numbered(st, 2, "{\"other\":1}");
    scene_redis(st->scene, "CONFIG SET maxmemory 1");
    pass(st, 0);
    assert_int_equal(scene_redis(st->scene, "XLEN crier:{q}:dead")->integer, 2);
    assert_int_equal(lane_tally(st->lane).dead, 2);
    assert_int_equal(scene_redis(st->scene, "XPENDING crier:{q}:stream trail")->items[0].integer, 0);
}

/* A process that was killed leaves its consumer with what it held; here it is given that by hand. */
static void give_to_the_dead(struct stage *st, int deliveries)
{
    const char *id = scene_redis(st->scene, "XREVRANGE crier:{q}:stream + - COUNT 1")->items[0].items[0].text;

    scene_redis(st->scene, "XGROUP CREATE crier:{q}:stream trail $");
    scene_redis(st->scene, "XCLAIM crier:{q}:stream trail killed/0 0 %s FORCE IDLE 5000 RETRYCOUNT %d", id, deliveries);
}

static void after_three_deaths_over_it_alone_an_event_is_dead_with_its_deliveries_as_tries(void **state)
{
    struct stage *st = *state;
    const struct reply *letters, *tries;

    append_numbered(st, 1, "{\"action\":\"x\"}");
    give_to_the_dead(st, 5);
    pass(st, 0);
    letters = scene_redis(st->scene, "XRANGE crier:{q}:dead - +");
    assert_int_equal(letters->count, 1);
    tries = reply_field(&letters->items[0].items[1], "tries");
    assert_non_null(tries);
    assert_string_equal(tries->text, "5");
}

static void before_that_it_gets_another_chance(void **state)
{
    struct stage *st = *state;

    append_numbered(st, 1, "{\"action\":\"x\"}");
    give_to_the_dead(st, 4);
    pass(st, 0);
    assert_int_equal(scene_redis(st->scene, "XLEN crier:{q}:dead")->integer, 0);
    assert_int_equal(deliveries_of_last(st), 5);
}

/* An index that is blocked, and a Redis that is emptied: nothing is left of either in the lane. */
static void what_was_held_goes_with_an_emptied_redis(void **state)
{
    struct stage *st = *state;

    append_numbered(st, 3, "{\"action\":\"x\"}");
    pass(st, 0);
    assert_int_equal(lane_tally(st->lane).held, 3);
    scene_redis(st->scene, "FLUSHALL");
    while (lane_tally(st->lane).held > 0) /* what is due meets the missing group */
        pass(st, 0);
    append_numbered(st, 1, "{\"action\":\"x\"}");
    while (lane_tally(st->lane).held == 0)
        pass(st, 0);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(after_a_failed_link_all_that_is_held_is_begun_anew_however_much_it_is),
        ON_STAGE(a_pass_out_of_turn_takes_nothing_new),
        ON_STAGE(what_is_held_between_passes_stays_the_lanes_own),
        ON_STAGE(an_event_that_is_dead_goes_to_the_letters_also_without_memory_in_redis),
        ON_STAGE(after_three_deaths_over_it_alone_an_event_is_dead_with_its_deliveries_as_tries),
        ON_STAGE(before_that_it_gets_another_chance),
        ON_STAGE(what_was_held_goes_with_an_emptied_redis),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
