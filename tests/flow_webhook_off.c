/* Targets of webhooks that are given up: their owners are warned, they are turned off, and on again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "handlers/webhook/webhook_schedule.h"
#include "support/clock_ahead.h"
#include "support/pause.h"
#include "support/webhook_stage.h"

#define HOUR (INT64_C(3600) * US_PER_SECOND)

/* The clock is right again at the start of each. */
static struct webhook_stage *stage_open(const char *more)
{
    clock_ahead_set(0);
    return webhook_stage_open(more);
}

static size_t service_events(struct webhook_stage *s, const char *type)
{
    const struct reply *entries = scene_redis(s->scene, "XRANGE crier:{changes}:stream - +");
    size_t count = 0;

    for (size_t i = 0; i < entries->count; i++)
        count += strcmp(reply_field_text(&entries->items[i].items[1], "type"), type) == 0;
    return count;
}

/* The event goes out before the state is noted, so the state is what is waited for. */
static void expect_off(struct webhook_stage *s, const char *reason)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (webhook_stage_state(s).off[0] == '\0') {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(5);
    }
    assert_string_equal(webhook_stage_state(s).off, reason);
    assert_int_equal(service_events(s, "crier.webhook.disabled"), 1);
}

static void a_target_that_is_gone_is_turned_off_and_on_again(void **state)
{
    struct webhook_stage *s = stage_open("");
    struct error err;

    (void)state;
    hook_server_answer(s->server, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    webhook_stage_emit(s, "a", NULL);
    expect_off(s, "it answers 410 Gone");
    hook_server_answer(s->server, NULL);
    webhook_stage_emit(s, "b", NULL);
    clock_ahead_by(60 * US_PER_SECOND);
    pause_ms(700);
    assert_int_equal(hook_server_count(s->server), 1);
    assert_true(webhook_store_turn_on(s->store, &err));
    hook_server_await(s->server, 2); /* what waited; b passed by */
    webhook_stage_emit(s, "c", NULL);
    hook_server_await(s->server, 3);
    assert_non_null(strstr(hook_server_body(s->server, 2), "\"id\":\"c\""));
    webhook_stage_close(s);
}

static void five_days_of_failure_turn_a_target_off(void **state)
{
    struct webhook_stage *s = stage_open("");

    (void)state;
    hook_server_answer(s->server, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    webhook_stage_emit(s, "a", NULL);
    webhook_stage_attempts(s, 1);
    clock_ahead_by(119 * HOUR);
    webhook_stage_emit(s, "b", NULL);
    webhook_stage_attempts(s, 3);
    assert_string_equal(webhook_stage_state(s).off, "");
    clock_ahead_by(2 * HOUR);
    webhook_stage_emit(s, "c", NULL);
    expect_off(s, "nothing came through for 120 hours");
    webhook_stage_close(s);
}

static void await_service_events(struct webhook_stage *s, const char *type, size_t count)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;

    while (service_events(s, type) < count) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(5);
    }
    assert_int_equal(service_events(s, type), count);
}

/* The last one of a type, its data. */
static json_t *service_data(struct webhook_stage *s, const char *type)
{
    const struct reply *entries = scene_redis(s->scene, "XREVRANGE crier:{changes}:stream + -");
    struct error err;

    for (size_t i = 0; i < entries->count; i++) {
        const struct reply *fields = &entries->items[i].items[1], *data = reply_field(fields, "data");

        if (strcmp(reply_field_text(fields, "type"), type) == 0)
            return json_text_parse(data->text, data->length, 4, &err);
    }
    return NULL;
}

static void expect_warned(struct webhook_stage *s, int64_t hours, size_t count, int percent)
{
    static int number;
    char id[16];
    json_t *data;

    clock_ahead_by(hours * HOUR);
    snprintf(id, sizeof id, "w%d", number++);
    webhook_stage_emit(s, id, NULL);
    await_service_events(s, "crier.webhook.failing", count);
    data = service_data(s, "crier.webhook.failing");
    assert_int_equal(json_integer_value(json_object_get(data, "percent")), percent);
    assert_string_equal(json_string_value(json_object_get(data, "owner_mail")), "ops@example.org");
    assert_string_equal(json_string_value(json_object_get(data, "host")), "127.0.0.1");
    assert_string_equal(json_string_value(json_object_get(data, "reason")), "the target answers 503");
    json_decref(data);
}

static void an_owner_is_warned_three_times_before_a_target_is_turned_off(void **state)
{
    struct webhook_stage *s = stage_open("owner_mail = ops@example.org\n");

    (void)state;
    hook_server_answer(s->server, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    webhook_stage_emit(s, "a", NULL);
    webhook_stage_attempts(s, 1);
    clock_ahead_by(59 * HOUR);
    webhook_stage_emit(s, "b", NULL);
    webhook_stage_attempts(s, 3);
    assert_int_equal(service_events(s, "crier.webhook.failing"), 0);
    expect_warned(s, 2, 1, 50);
    expect_warned(s, 24, 2, 70);
    expect_warned(s, 24, 3, 90);
    clock_ahead_by(13 * HOUR);
    webhook_stage_emit(s, "z", NULL);
    await_service_events(s, "crier.webhook.disabled", 1);
    assert_int_equal(service_events(s, "crier.webhook.failing"), 3);
    webhook_stage_close(s);
}

static void a_delivery_that_comes_through_makes_the_warnings_count_anew(void **state)
{
    struct webhook_stage *s = stage_open("owner_mail = ops@example.org\nconcurrency = 1\n");

    (void)state;
    hook_server_answer(s->server, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    webhook_stage_emit(s, "a", NULL);
    webhook_stage_attempts(s, 1);
    expect_warned(s, 61, 1, 50);
    hook_server_answer(s->server, NULL);
    webhook_stage_emit(s, "b", NULL);
    while (webhook_stage_state(s).failing_since_us > 0)
        pause_ms(5);
    hook_server_answer(s->server, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    webhook_stage_emit(s, "c", NULL);
    while (webhook_stage_state(s).failing_since_us == 0)
        pause_ms(5);
    expect_warned(s, 61, 2, 50);
    webhook_stage_close(s);
}

static void a_target_that_falls_too_far_behind_is_turned_off(void **state)
{
    struct webhook_stage *s = stage_open("backlog = 10\n");
    char id[8];

    (void)state;
    hook_server_answer(s->server, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    for (int i = 0; i < 11; i++) {
        assert_string_equal(webhook_stage_state(s).off, "");
        snprintf(id, sizeof id, "e%d", i);
        webhook_stage_emit(s, id, NULL);
    }
    expect_off(s, "more than 10 events wait for it");
    assert_int_equal(webhook_stage_state(s).waiting, 10);
    webhook_stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_that_is_gone_is_turned_off_and_on_again),
        cmocka_unit_test(five_days_of_failure_turn_a_target_off),
        cmocka_unit_test(an_owner_is_warned_three_times_before_a_target_is_turned_off),
        cmocka_unit_test(a_delivery_that_comes_through_makes_the_warnings_count_anew),
        cmocka_unit_test(a_target_that_falls_too_far_behind_is_turned_off),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
