/* Webhooks that fail: tried as often as the schedule says and no more, and noted whatever is away. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/http.h"
#include "handlers/webhook/webhook_schedule.h"
#include "notifier/dead.h"
#include "support/clock_ahead.h"
#include "support/pause.h"
#include "support/webhook_stage.h"
#include "support/work.h"

#define HOUR (INT64_C(3600) * US_PER_SECOND)

/* This thread may have none beside it, as where the system is at its limit. */
static _Thread_local bool alone;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context)
{
    return alone ? EAGAIN : __real_pthread_create(thread, attributes, run, context);
}

/* The clock is right again at the start of each. */
static struct webhook_stage *stage_open(const char *more)
{
    clock_ahead_set(0);
    return webhook_stage_open(more);
}

static const int64_t delays_s[] = {5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400};

/* When the last of so many attempts began. */
static int64_t attempt_began_us(struct webhook_stage *s, size_t count)
{
    return strtoll(webhook_attempt_field(webhook_stage_attempts(s, count), 0, "started_us"), NULL, 10);
}

/* Moves the clock to so long before the delivery is due, and says when that is. */
static int64_t jump_to_due(struct webhook_stage *s, int64_t before_us)
{
    struct webhook_target_state state = webhook_stage_state(s);

    assert_int_equal(state.waiting, 1);
    clock_ahead_by(state.next_us - before_us - clock_wall_us());
    return state.next_us;
}

static void a_failure_is_tried_again_by_the_schedule_and_with_the_same_id(void **state)
{
    struct webhook_stage *s = stage_open("");
    const struct reply *attempts;
    struct dead_letter *letters;
    struct error err;
    char *first, *id;
    size_t count;

    (void)state;
    hook_server_answer(s->server, "HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nwhy?");
    webhook_stage_emit(s, "a", "{\"n\":1}");
    for (size_t i = 0; i < ARRAY_LENGTH(delays_s); i++) {
        int64_t began_us = attempt_began_us(s, i + 1), ended_us = clock_wall_us(), due_us = jump_to_due(s, 0);

        if (due_us < began_us + delays_s[i] * 900000 || due_us > ended_us + delays_s[i] * 1100000)
            fail_msg("try %zu comes after %" PRId64 " ms", i + 2, (due_us - began_us) / 1000);
    }
    attempts = webhook_stage_attempts(s, WEBHOOK_TRIES_MOST);
    assert_int_equal(hook_server_count(s->server), WEBHOOK_TRIES_MOST);
    first = hook_server_header(s->server, 0, "webhook-id");
    for (size_t i = 0; i < WEBHOOK_TRIES_MOST; i++) {
        assert_string_equal(id = hook_server_header(s->server, i, "webhook-id"), first);
        assert_string_equal(hook_server_body(s->server, i), hook_server_body(s->server, 0));
        free(id);
    }
    assert_string_equal(webhook_attempt_field(attempts, 0, "fate"), "dead");
    assert_string_equal(webhook_attempt_field(attempts, 0, "number"), "10");
    assert_string_equal(webhook_attempt_field(attempts, 1, "reply"), "why?");
    assert_int_equal(webhook_stage_state(s).waiting, 0);
    assert_true(dead_list(s->redis, "changes", NULL, 10, s->scene->arena, &letters, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(letters[0].event.id.text, "a");
    assert_string_equal(letters[0].handler, "first");
    assert_string_equal(letters[0].reason, "the target answers 500");
    assert_int_equal(letters[0].tries, 10);
    free(first);
    webhook_stage_close(s);
}

static void nothing_is_sent_before_it_is_due(void **state)
{
    struct webhook_stage *s = stage_open("");

    (void)state;
    hook_server_answer(s->server, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    webhook_stage_emit(s, "a", NULL);
    webhook_stage_attempts(s, 1);
    jump_to_due(s, 0); /* five seconds later, which a machine under load may take over less */
    webhook_stage_attempts(s, 2);
    jump_to_due(s, 60 * US_PER_SECOND);
    pause_ms(1200); /* the crew looks every half second */
    assert_int_equal(hook_server_count(s->server), 2);
    hook_server_answer(s->server, NULL);
    jump_to_due(s, 0);
    hook_server_await(s->server, 3);
    webhook_stage_attempts(s, 3);
    assert_int_equal(webhook_stage_state(s).failing_since_us, 0);
    webhook_stage_close(s);
}

static void every_delay_is_within_a_tenth_of_the_schedule(void **state)
{
    (void)state;
    for (int tries = 1; tries < WEBHOOK_TRIES_MOST; tries++)
        for (int i = 0; i < 1000; i++)
            assert_in_range(webhook_delay_us(tries), delays_s[tries - 1] * 900000, delays_s[tries - 1] * 1100000);
    assert_int_equal(webhook_delay_us(0), 0);
    assert_int_equal(webhook_delay_us(WEBHOOK_TRIES_MOST), -1);
    assert_int_equal(webhook_delay_asked_us(WEBHOOK_TRIES_MOST, 10), -1);
    assert_int_equal(webhook_delay_asked_us(1, 3600), HOUR);
    assert_int_equal(webhook_delay_asked_us(1, 1000000), 24 * HOUR);
    assert_in_range(webhook_delay_asked_us(3, 1), 1620 * US_PER_SECOND, 1980 * US_PER_SECOND);
}

static void a_busy_target_gets_nothing_until_it_says_so(void **state)
{
    struct webhook_stage *s = stage_open("concurrency = 1\n");
    int64_t began_us, ended_us;

    (void)state;
    hook_server_answer(s->server, "HTTP/1.1 429 Busy\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n");
    webhook_stage_emit(s, "a", NULL);
    began_us = attempt_began_us(s, 1);
    ended_us = clock_wall_us();
    assert_in_range(webhook_stage_state(s).next_us, began_us + 600 * US_PER_SECOND, ended_us + 600 * US_PER_SECOND);
    hook_server_answer(s->server, NULL);
    webhook_stage_emit(s, "b", NULL);
    pause_ms(700);
    assert_int_equal(hook_server_count(s->server), 1);
    clock_ahead_by(602 * US_PER_SECOND);
    hook_server_await(s->server, 3);
    webhook_stage_close(s);
}

static void redirects_are_failures(void **state)
{
    struct webhook_stage *s = stage_open("");
    char answer[200];

    (void)state;
    snprintf(answer, sizeof answer, "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n",
             hook_server_port(s->other));
    hook_server_answer(s->server, answer);
    webhook_stage_emit(s, "a", NULL);
    assert_string_equal(webhook_attempt_field(webhook_stage_attempts(s, 1), 0, "fate"), "again");
    assert_int_equal(hook_server_connections(s->other), 0);
    webhook_stage_close(s);
}

static void a_target_without_a_thread_gets_its_events_once_there_is_one(void **state)
{
    struct webhook_stage *s = stage_open("");

    (void)state;
    alone = true;
    s->other_lane = work_open(s->scene, "second");
    webhook_stage_emit(s, "a", NULL);
    webhook_stage_pass(s->other_lane);
    pause_ms(100);
    assert_int_equal(hook_server_count(s->other), 0);
    alone = false;
    webhook_stage_emit(s, "b", NULL);
    webhook_stage_pass(s->other_lane);
    hook_server_await(s->other, 2);
    alone = true;
    lane_leave(s->other_lane);
    lane_free(s->other_lane);
    s->other_lane = work_open(s->scene, "second"); /* ends without having had one */
    alone = false;
    webhook_stage_close(s);
}

/* How many writes Redis has refused, as it is nobody's master. */
static long refused_writes(struct webhook_stage *s)
{
    static const char name[] = "errorstat_READONLY:count=";
    const char *found = strstr(scene_redis(s->scene, "INFO errorstats")->text, name);

    return found ? strtol(found + strlen(name), NULL, 10) : 0;
}

static void await_more_refused_writes(struct webhook_stage *s, long than)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (refused_writes(s) <= than) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(20);
    }
}

static void await_counted(struct counter *c, int64_t value)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (counter_value(c) < value) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(20);
    }
}

static void an_attempt_that_redis_cannot_note_yet_is_noted_when_it_can_and_not_made_again(void **state)
{
    struct webhook_stage *s = stage_open("");
    struct counter *failed = counter_get(COUNTER_TOTAL, "crier_webhook_attempts_total", "attempts at deliveries",
                                         "webhook=\"first\",outcome=\"again\"");
    int64_t before = counter_value(failed);

    (void)state;
    hook_server_behave(s->server, HOOK_HANG);
    webhook_stage_emit(s, "e1", NULL);
    hook_server_await(s->server, 1);
    scene_redis(s->scene, "REPLICAOF 127.0.0.1 1");
    await_counted(failed, before + 1);
    await_more_refused_writes(s, refused_writes(s));
    scene_redis(s->scene, "REPLICAOF NO ONE");
    webhook_stage_attempts(s, 1);
    assert_int_equal(hook_server_count(s->server), 1);
    webhook_stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_tried_again_by_the_schedule_and_with_the_same_id),
        cmocka_unit_test(nothing_is_sent_before_it_is_due),
        cmocka_unit_test(every_delay_is_within_a_tenth_of_the_schedule),
        cmocka_unit_test(a_busy_target_gets_nothing_until_it_says_so),
        cmocka_unit_test(redirects_are_failures),
        cmocka_unit_test(a_target_without_a_thread_gets_its_events_once_there_is_one),
        cmocka_unit_test(an_attempt_that_redis_cannot_note_yet_is_noted_when_it_can_and_not_made_again),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
