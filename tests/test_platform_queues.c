/* The platform's own queues: which are read, what of them is left alone, and a broker or our Redis that is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "notifier/platform/kombu_queue.h"
#include "notifier/platform/platform_door.h"
#include "support/kombu_stage.h"
#include "support/process.h"
#include "support/scene.h"

static void messages_stay_while_our_own_redis_is_away_and_come_when_it_is_back(void **state)
{
    struct kombu_stage *f = *state;

    kombu_stage_doors(f, 1);
    kombu_push(f, "LPUSH", QUEUE, kombu_view(f, 1));
    kombu_until_empty(f);
    server_stop(f->scene->redis_server);
    for (int i = 2; i < 12; i++)
        kombu_push(f, "LPUSH", QUEUE, kombu_view(f, i));
    usleep(500000);
    assert_int_equal(kombu_waiting(f), 10);
    server_restart(f->scene->redis_server);
    kombu_until_empty(f);
    assert_int_equal(kombu_stage_length(f, "stream"), 11);
}

static void a_broker_that_is_away_is_waited_for(void **state)
{
    struct kombu_stage *f = *state;

    kombu_push(f, "LPUSH", QUEUE, kombu_view(f, 1));
    server_stop(f->broker);
    kombu_stage_doors(f, 1);
    usleep(300000);
    server_restart(f->broker);
    redis_drop(f->kombu);
    kombu_until_empty(f);
    assert_int_equal(kombu_stage_length(f, "stream"), 1);
}

static void the_exchange_is_bound_so_that_what_is_published_is_not_lost(void **state)
{
    struct kombu_stage *f = *state;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    kombu_stage_doors(f, 1);
    while (kombu_ask(f, "SCARD", "_kombu.binding_permanent.events")->integer < 2 && clock_monotonic_ms() < until_ms)
        usleep(10000);
    assert_int_equal(kombu_ask(f, "SCARD", "_kombu.binding_permanent.events")->integer, 2);
    assert_int_equal(kombu_ask(f, "SCARD", "_kombu.binding.events")->integer, 2);
    for (int i = 0; i < 2; i++) {
        struct error err;
        const struct reply *reply;

        assert_true(redis_do(f->kombu, f->arena, &reply, &err, "SISMEMBER %s %s",
                             i ? "_kombu.binding_permanent.events" : "_kombu.binding.events",
                             QUEUE "\x06\x16\x06\x16" QUEUE));
        assert_int_equal(reply->integer, 1);
    }
}

static void a_queue_whose_type_nobody_wants_is_left_alone(void **state)
{
    struct kombu_stage *f = *state;

    kombu_push(f, "LPUSH", "stats-other", kombu_view(f, 1));
    kombu_push(f, "LPUSH", QUEUE, kombu_view(f, 2));
    kombu_stage_doors(f, 1);
    kombu_until_empty(f);
    assert_int_equal(kombu_ask(f, "LLEN", "stats-other")->integer, 1);
}

static void what_kombu_keeps_of_its_own_consumers_is_not_touched(void **state)
{
    struct kombu_stage *f = *state;
    struct error err;

    assert_true(redis_do(f->kombu, f->arena, NULL, &err, "HSET unacked tag value"));
    assert_true(redis_do(f->kombu, f->arena, NULL, &err, "ZADD unacked_index 1 tag"));
    kombu_push(f, "LPUSH", QUEUE, kombu_view(f, 1));
    kombu_stage_doors(f, 1);
    kombu_until_empty(f);
    assert_int_equal(kombu_ask(f, "HLEN", "unacked")->integer, 1);
    assert_int_equal(kombu_ask(f, "ZCARD", "unacked_index")->integer, 1);
}

static void only_the_messages_meant_are_taken_off_whatever_came_and_went_meanwhile(void **state)
{
    struct kombu_stage *f = *state;
    struct kombu_waiting *seen;
    const struct kombu_waiting *some[3];
    const struct reply *left;
    struct error err;
    size_t count;
    bool more;

    for (int i = 0; i < 5; i++)
        kombu_push(f, "LPUSH", QUEUE, arena_printf(f->arena, "m%d", i));
    assert_true(kombu_peek(f->kombu, QUEUE, &(struct kombu_look){0, 4, 1000}, f->arena, &seen, &count, &more, &err));
    assert_int_equal(count, 4);
    assert_true(more);
    assert_string_equal(seen[0].bytes, "m0");
    kombu_push(f, "RPUSH", QUEUE, "given back");
    kombu_ask(f, "RPOP", QUEUE);
    kombu_push(f, "RPUSH", QUEUE, "given back too");
    kombu_push(f, "LPUSH", QUEUE, "m5");
    for (size_t i = 0; i < 3; i++)
        some[i] = &seen[i];
    assert_true(kombu_remove(f->kombu, QUEUE, some, 3, &err));
    assert_true(kombu_remove(f->kombu, QUEUE, some, 3, &err)); /* once more changes nothing */
    left = scene_redis(f->scene, "PING");
    assert_true(redis_do(f->kombu, f->arena, &left, &err, "LRANGE %s 0 -1", QUEUE));
    assert_int_equal(left->count, 4);
    assert_string_equal(left->items[0].text, "m5");
    assert_string_equal(left->items[1].text, "m4");
    assert_string_equal(left->items[2].text, "m3");
    assert_string_equal(left->items[3].text, "given back too");
}

static void crier_serve_reads_the_queues_and_ends_in_good_order(void **state)
{
    struct kombu_stage *f = *state;
    struct server *crier = crier_serve_start(f->scene->config_path);

    for (int i = 0; i < 100; i++)
        kombu_push(f, "LPUSH", QUEUE, kombu_view(f, i));
    kombu_until_empty(f);
    server_stop(crier);
    server_free(crier);
    assert_int_equal(kombu_stage_length(f, "stream"), 100);
}

static void a_mapping_must_name_a_queue_and_a_type(void **state)
{
    struct error err;

    (void)state;
    assert_true(platform_queues_check("a=record-view b=file-download", &err));
    assert_false(platform_queues_check("a", &err));
    assert_false(platform_queues_check("=x", &err));
    assert_false(platform_queues_check("a=", &err));
    assert_false(platform_queues_check("a=b c=*", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_stay_while_our_own_redis_is_away_and_come_when_it_is_back,
                                        kombu_stage_open, kombu_stage_close),
        cmocka_unit_test_setup_teardown(a_broker_that_is_away_is_waited_for, kombu_stage_open, kombu_stage_close),
        cmocka_unit_test_setup_teardown(the_exchange_is_bound_so_that_what_is_published_is_not_lost, kombu_stage_open,
                                        kombu_stage_close),
        cmocka_unit_test_setup_teardown(a_queue_whose_type_nobody_wants_is_left_alone, kombu_stage_open,
                                        kombu_stage_close),
        cmocka_unit_test_setup_teardown(what_kombu_keeps_of_its_own_consumers_is_not_touched, kombu_stage_open,
                                        kombu_stage_close),
        cmocka_unit_test_setup_teardown(only_the_messages_meant_are_taken_off_whatever_came_and_went_meanwhile,
                                        kombu_stage_open, kombu_stage_close),
        cmocka_unit_test_setup_teardown(crier_serve_reads_the_queues_and_ends_in_good_order, kombu_stage_open,
                                        kombu_stage_close),
        cmocka_unit_test(a_mapping_must_name_a_queue_and_a_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
