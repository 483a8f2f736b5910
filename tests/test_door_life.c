/* The life of a door: opened, used by many at a time, without its Redis, and closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/door_client.h"
#include "support/door_raw.h"

/* ------------------------------------------------------------------------------------------------- Redis in trouble */

static void without_redis_senders_are_told_to_come_again_and_nothing_is_lost(void **state)
{
    struct door_client *c = *state;
    int64_t before;

    scene_redis(c->scene, "CONFIG SET appendfsync always"); /* it knows the event again that it took */
    assert_int_equal(client_post(c, STRUCTURED, EVENT("a")), 202);
    server_kill(c->scene->redis_server);
    assert_int_equal(client_post(c, BATCH, "[" EVENT("a") "," EVENT("b") ",{}]"), 503);
    assert_int_equal(c->retry_after, 1);
    assert_string_equal(client_outcome(c, 1), "unavailable");
    assert_string_equal(client_outcome(c, 2), "refused");
    before = clock_monotonic_ms();
    for (int i = 0; i < 20; i++)
        assert_int_equal(client_post(c, STRUCTURED, EVENT("b")), 503);
    assert_true(clock_monotonic_ms() - before < 10000); /* none waited for Redis: 20 times a second */
    server_restart(c->scene->redis_server);
    before = clock_monotonic_ms();
    while (client_post(c, BATCH, "[" EVENT("a") "," EVENT("b") "]") == 503)
        assert_true(clock_monotonic_ms() - before < 60000);
    assert_int_equal(c->status, 202);
    assert_string_equal(client_outcome(c, 0), "duplicate");
    redis_drop(c->scene->redis);
    assert_int_equal(client_stream_length(c, "changes"), 2);
}

static void a_silent_redis_holds_up_one_request_not_all(void **state)
{
    struct door_client *c = *state;
    int64_t before;
    int quick = 0;

    assert_int_equal(client_post(c, STRUCTURED, EVENT("a")), 202);
    server_pause(c->scene->redis_server);
    for (int i = 0; i < 20; i++) {
        before = clock_monotonic_ms();
        assert_int_equal(client_post(c, STRUCTURED, EVENT("b")), 503);
        quick += clock_monotonic_ms() - before < 900; /* less than Redis is waited for */
    }
    server_resume(c->scene->redis_server);
    assert_true(quick >= 10);
}

static void a_redis_that_refuses_is_no_false_success(void **state)
{
    static const struct {
        const char *trouble, *end;
    } cases[] = {
        {"CONFIG SET maxmemory 1",             "CONFIG SET maxmemory 0"            },
        {"REPLICAOF 127.0.0.1 1",              "REPLICAOF NO ONE"                  },
        {"CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"},
    };
    struct door_client *c = *state;
    int64_t before = clock_monotonic_ms();

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct reply *reply;
        struct error err;
        char id[20], event[300];

        snprintf(id, sizeof id, "trouble-%zu", i);
        snprintf(event, sizeof event,
                 "{\"event_type\":\"record-view\",\"id\":\"%s\",\"payload\":{\"recid\":\"%s\",\"user_id\":1}}", id, id);
        assert_true(redis_do(c->scene->redis, c->scene->arena, &reply, &err, cases[i].trouble));
        if (client_post(c, JSON, event) != 503 || c->retry_after != 1)
            fail_msg("%s: %ld %s", cases[i].trouble, c->status, c->body.data);
        assert_true(redis_do(c->scene->redis, c->scene->arena, &reply, &err, cases[i].end));
        while (client_post(c, JSON, event) == 503)
            assert_true(clock_monotonic_ms() - before < 60000);
        assert_int_equal(c->status, 202);
    }
    assert_int_equal(client_stream_length(c, "statistics"), (int64_t)ARRAY_LENGTH(cases));
}

/* ----------------------------------------------------------------------------------------------------- many at once */

struct sender {
    pthread_t thread;
    struct door_client client; /* a client of its own at the same door */
    size_t accepted, duplicates;
};

static void *send_all(void *context)
{
    struct sender *s = context;

    for (int i = 0; i < 20; i++) {
        struct buf body = BUF_INIT;

        for (int k = 0; k < 50; k++)
            buf_printf(&body, "{\"event_type\":\"user.a\",\"id\":\"e%d-%d\"}\n", i, k);
        if (client_post(&s->client, LINES, body.data) == 202)
            for (size_t k = 0; k < json_array_size(s->client.json); k++) {
                s->accepted += strcmp(client_outcome(&s->client, k), "accepted") == 0;
                s->duplicates += strcmp(client_outcome(&s->client, k), "duplicate") == 0;
            }
        buf_release(&body);
    }
    return NULL;
}

static void of_many_senders_of_the_same_events_each_event_is_taken_once(void **state)
{
    enum { SENDERS = 6 };
    struct door_client *c = *state;
    struct sender senders[SENDERS] = {0};
    size_t accepted = 0, duplicates = 0;

    for (int i = 0; i < SENDERS; i++) {
        senders[i].client = (struct door_client){.door = c->door, .curl = curl_easy_init(), .body = BUF_INIT};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        accepted += senders[i].accepted;
        duplicates += senders[i].duplicates;
        curl_easy_cleanup(senders[i].client.curl);
        buf_release(&senders[i].client.body);
        json_decref(senders[i].client.json);
    }
    assert_int_equal(accepted, 1000);
    assert_int_equal(duplicates, (SENDERS - 1) * 1000);
    assert_int_equal(client_stream_length(c, "changes"), 1000);
}

/* --------------------------------------------------------------------------------------------------- open and close */

static void *close_door(void *door)
{
    door_close(door);
    return NULL;
}

static void a_closing_door_answers_what_is_under_way(void **state)
{
    struct door_client *c = *state;
    int slow = door_raw_connect(c), idle = door_raw_connect(c);
    pthread_t closer;
    bool closed;

    door_raw_send(idle, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_non_null(strstr(door_raw_receive(idle, "hello", &closed), " 200 "));
    door_raw_send(slow, RAW_POST "Expect: 100-continue\r\nContent-Length: 41\r\n\r\n");
    assert_non_null(strstr(door_raw_receive(slow, "\r\n\r\n", &closed), " 100 ")); /* it is under way now */
    assert_int_equal(pthread_create(&closer, NULL, close_door, c->door), 0);
    door_raw_send(slow, "{\"event_type\":\"user.a\",\"payload\":{\"n\":1}}");
    assert_non_null(strstr(door_raw_receive(slow, "}\n", &closed), " 202 "));
    pthread_join(closer, NULL);
    door_raw_receive(idle, NULL, &closed);
    assert_true(closed);
    assert_int_equal(client_stream_length(c, "changes"), 1);
    c->door = NULL;
    close(slow);
    close(idle);
}

static void a_door_with_nothing_to_do_closes_at_once(void **state)
{
    struct door_client *c = *state;
    int idle = door_raw_connect(c);
    int64_t before;
    bool closed;

    door_raw_send(idle, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    door_raw_receive(idle, "hello", &closed);
    before = clock_monotonic_ms();
    door_close(c->door);
    assert_true(clock_monotonic_ms() - before < 4000);
    c->door = NULL;
    close(idle);
}

static void an_address_in_use_is_said(void **state)
{
    struct door_client *c = *state;
    struct settings copy = *c->scene->settings;
    char taken[40];
    struct error err;

    snprintf(taken, sizeof taken, "127.0.0.1:%d", door_port(c->door));
    copy.http.listen = taken;
    assert_null(door_open(&copy, NULL, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.text, taken));
    assert_non_null(strstr(err.text, "in use"));
}

static void what_is_no_address_is_said(void **state)
{
    static char addresses[][30] = {"nowhere", ":8960", "127.0.0.1:", "127.0.0.1:http", "256.0.0.1:0", "[::1:0"};
    struct door_client *c = *state;
    struct settings copy = *c->scene->settings;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
        copy.http.listen = addresses[i];
        assert_null(door_open(&copy, NULL, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_non_null(strstr(err.text, addresses[i]));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, client_door_open, client_door_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_redis_senders_are_told_to_come_again_and_nothing_is_lost),
        TEST(a_silent_redis_holds_up_one_request_not_all),
        TEST(a_redis_that_refuses_is_no_false_success),
        TEST(of_many_senders_of_the_same_events_each_event_is_taken_once),
        TEST(a_closing_door_answers_what_is_under_way),
        TEST(a_door_with_nothing_to_do_closes_at_once),
        TEST(an_address_in_use_is_said),
        TEST(what_is_no_address_is_said),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
