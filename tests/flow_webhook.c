/* Events to webhooks: signed, once, and each target for itself. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/signature.h"
#include "support/canary.h"
#include "support/webhook_stage.h"
#include "support/work.h"

static void expect_signed(struct webhook_stage *s, size_t i, const char *secret)
{
    char *id = hook_server_header(s->server, i, "webhook-id"),
         *time = hook_server_header(s->server, i, "webhook-timestamp"),
         *signature = hook_server_header(s->server, i, "webhook-signature");
    const char *body = hook_server_body(s->server, i);
    struct error err;
    struct signer *signer = signer_new(secret, &err);

    assert_non_null(signer);
    if (!signature_verify(signer, &(struct signature_claim){id, time, signature}, clock_wall_us() / US_PER_SECOND, body,
                          strlen(body), &err))
        fail_msg("%s", err.text);
    signer_free(signer);
    free(id);
    free(time);
    free(signature);
}

/* ------------------------------------------------------------------------------------------------- what is sent */

static void an_event_is_sent_signed_and_once(void **state)
{
    struct webhook_stage *s = webhook_stage_open("headers = X-Team: stats; Authorization: Bearer " CANARY "-header\n");
    struct buf body = BUF_INIT;
    struct event e = scene_event(s->scene, "record.published", "a", "records/1", 3, "{\"title\":\"T\"}");
    const struct reply *attempts;
    char *header;

    (void)state;
    scene_append(s->scene, &e, 1);
    webhook_stage_pass(s->lane);
    hook_server_await(s->server, 1);
    expect_signed(s, 0, WEBHOOK_SECRET);
    expect_signed(s, 0, WEBHOOK_OLD); /* both, while one replaces the other */
    event_add_json(&e, &body);
    assert_string_equal(hook_server_body(s->server, 0), body.data);
    assert_memory_equal(hook_server_head(s->server, 0), "POST /hook?x=1 HTTP/1.1\r\n", 25);
    assert_string_equal(header = hook_server_header(s->server, 0, "content-type"), "application/cloudevents+json");
    free(header);
    assert_string_equal(header = hook_server_header(s->server, 0, "authorization"), "Bearer " CANARY "-header");
    free(header);
    attempts = webhook_stage_attempts(s, 1);
    assert_string_equal(webhook_attempt_field(attempts, 0, "status"), "200");
    assert_string_equal(webhook_attempt_field(attempts, 0, "fate"), "done");
    assert_int_equal(webhook_stage_state(s).waiting, 0);
    assert_int_equal(scene_redis(s->scene, "KEYS crier:{webhooks}:delivery:*")->count, 0);
    assert_int_equal(hook_server_count(s->server), 1);
    buf_release(&body);
    webhook_stage_close(s);
}

static void exactly_what_the_condition_wants_is_sent(void **state)
{
    struct webhook_stage *s =
        webhook_stage_open("condition = data.resource_type = software and data.communities.id = astronomy\n"
                           "concurrency = 1\n"); /* so that they come in order */

    (void)state;
    webhook_stage_emit(
        s, "a", "{\"resource_type\":\"software\",\"communities\":[{\"id\":\"physics\"},{\"id\":\"astronomy\"}]}");
    webhook_stage_emit(s, "b", "{\"resource_type\":\"software\",\"communities\":[{\"id\":\"physics\"}]}");
    webhook_stage_emit(s, "c", "{\"resource_type\":\"dataset\",\"communities\":[{\"id\":\"astronomy\"}]}");
    webhook_stage_emit(s, "d", "{\"resource_type\":\"software\",\"communities\":[{\"id\":\"astronomy\"}]}");
    webhook_stage_attempts(s, 2);
    assert_int_equal(hook_server_count(s->server), 2);
    assert_int_equal(webhook_stage_state(s).waiting, 0);
    assert_non_null(strstr(hook_server_body(s->server, 0), "physics"));
    assert_null(strstr(hook_server_body(s->server, 1), "physics"));
    webhook_stage_close(s);
}

static void what_is_large_or_to_be_thin_goes_without_its_data(void **state)
{
    struct webhook_stage *s = webhook_stage_open("largest = 1KiB\n");
    char data[1200];

    (void)state;
    snprintf(data, sizeof data, "{\"title\":\"%01100d\"}", 0);
    webhook_stage_emit(s, "a", data);
    webhook_stage_emit(s, "b", "{\"title\":\"T\"}");
    hook_server_await(s->server, 2);
    for (size_t i = 0; i < 2; i++) {
        const char *body = hook_server_body(s->server, i);

        assert_int_equal(strstr(body, "\"data\":") != NULL, strstr(body, "\"id\":\"b\"") != NULL);
        assert_non_null(strstr(body, "\"subject\":\"records/1\""));
        expect_signed(s, i, WEBHOOK_SECRET);
    }
    webhook_stage_close(s);
}

static void data_that_is_never_sent_is_not_kept_for_a_target(void **state)
{
    struct webhook_stage *s = webhook_stage_open("largest = 1KiB\n");
    char data[1200], id[WEBHOOK_ID_BYTES];
    struct event e;

    (void)state;
    snprintf(data, sizeof data, "{\"title\":\"%01100d\"}", 0);
    hook_server_answer(s->server, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    for (int large = 0; large < 2; large++) {
        e = scene_event(s->scene, "record.published", large ? "a" : "b", "records/1", 1, large ? data : "{\"n\":1}");
        scene_append(s->scene, &e, 1);
        webhook_stage_pass(s->lane);
        webhook_id("first", &e, id);
        assert_int_equal(scene_redis(s->scene, "HEXISTS crier:{webhooks}:delivery:first:%s id", id)->integer, 1);
        assert_int_equal(scene_redis(s->scene, "HEXISTS crier:{webhooks}:delivery:first:%s data", id)->integer, !large);
    }
    webhook_stage_close(s);
}

static void events_go_out_in_order_where_one_goes_at_a_time(void **state)
{
    struct webhook_stage *s = webhook_stage_open("concurrency = 1\n");
    struct event events[50];

    (void)state;
    for (int i = 0; i < 50; i++) {
        char id[8];

        snprintf(id, sizeof id, "n%02d", i);
        events[i] = scene_event(s->scene, "record.published", id, "records/1", i, "{}");
    }
    scene_append(s->scene, events, 50);
    webhook_stage_pass(s->lane);
    hook_server_await(s->server, 50);
    for (size_t i = 0; i < 50; i++) {
        char id[16];

        snprintf(id, sizeof id, "\"id\":\"n%02zu\"", i);
        assert_non_null(strstr(hook_server_body(s->server, i), id));
    }
    webhook_stage_close(s);
}

/* ------------------------------------------------------------------------------------------------- one and another */

enum { DELIVERIES = 30, STALLED = 3 /* those in which the machine itself may have been busy elsewhere */ };

static int by_length(const void *a, const void *b)
{
    const int64_t *one = a, *other = b;

    return (*one > *other) - (*one < *other);
}

static void expect_undelayed(enum hook_manner manner)
{
    struct webhook_stage *s = webhook_stage_open("");
    int64_t took_us[DELIVERIES], slowest_us;

    s->other_lane = work_open(s->scene, "second");
    hook_server_behave(s->server, manner);
    for (size_t i = 0; i < DELIVERIES; i++) {
        char id[8];
        int64_t start_us;

        snprintf(id, sizeof id, "e%zu", i);
        webhook_stage_emit(s, id, "{}");
        start_us = clock_wall_us();
        webhook_stage_pass(s->other_lane);
        hook_server_await(s->other, i + 1);
        took_us[i] = hook_server_at_us(s->other, i) - start_us;
    }
    qsort(took_us, DELIVERIES, sizeof took_us[0], by_length);
    slowest_us = took_us[DELIVERIES - 1 - STALLED];
    print_message("slowest of %d but %d: %" PRId64 " us\n", DELIVERIES, STALLED, slowest_us);
    assert_true(slowest_us < 2 * US_PER_SECOND); /* half of the time limit that the other one takes */
    webhook_stage_close(s);
}

static void a_target_that_misbehaves_does_not_delay_another(void **state)
{
    (void)state;
    expect_undelayed(HOOK_HANG);
    expect_undelayed(HOOK_FLOOD);
    expect_undelayed(HOOK_RESET);
}

static void an_attempt_keeps_the_beginning_of_the_reply(void **state)
{
    struct webhook_stage *s = webhook_stage_open("");
    const struct reply *attempts;

    (void)state;
    hook_server_behave(s->server, HOOK_FLOOD);
    webhook_stage_emit(s, "a", NULL);
    attempts = webhook_stage_attempts(s, 1);
    assert_int_equal(strlen(webhook_attempt_field(attempts, 0, "reply")), WEBHOOK_REPLY_BYTES);
    assert_in_range(scene_redis(s->scene, "TTL crier:{webhooks}:attempts:first")->integer, 1, 30 * 86400);
    webhook_stage_close(s);
}

static void an_event_that_comes_again_is_no_second_delivery(void **state)
{
    struct webhook_stage *s = webhook_stage_open("");
    struct event e = scene_event(s->scene, "record.published", "a", "records/1", 3, "{}");
    const struct event *twice[] = {&e, &e};
    struct delivery_added added;
    int64_t started_us;
    struct error err;

    (void)state;
    hook_server_answer(s->server, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    webhook_stage_emit(s, "a", NULL);
    started_us = strtoll(webhook_attempt_field(webhook_stage_attempts(s, 1), 0, "started_us"), NULL, 10);
    assert_true(webhook_store_add(s->store, &(struct webhook_news){twice, 2, clock_wall_us(), 100}, s->scene->arena,
                                  &added, &err));
    assert_int_equal(webhook_stage_state(s).waiting, 1);
    assert_true(webhook_stage_state(s).next_us > started_us + US_PER_SECOND);
    webhook_stage_close(s);
}

static void an_attempt_at_a_target_that_is_removed_meanwhile_brings_nothing_back(void **state)
{
    struct webhook_stage *s = webhook_stage_open("");
    struct webhook_store *store = webhook_store_new(s->redis, "gone");
    struct event e = scene_event(s->scene, "record.published", "a", "records/1", 3, "{}");
    struct delivery_attempt attempt = {
        .fate = DELIVERY_AGAIN, .started_us = 1, .quiet_until_us = 9, .error = "", .reply = SPAN_NONE};
    const struct event *events[] = {&e};
    struct arena *arena = s->scene->arena;
    struct delivery_added added;
    struct delivery_claim claim;
    int64_t failing_us;
    struct error err;

    (void)state;
    assert_true(webhook_store_add(store, &(struct webhook_news){events, 1, 5, 100}, arena, &added, &err));
    assert_true(webhook_store_claim(store, 10, 10, arena, &claim, &err));
    assert_memory_equal(claim.id, "msg_", 4);
    scene_redis(s->scene, "DEL crier:{webhooks}:due:gone crier:{webhooks}:target:gone");
    assert_true(webhook_store_settle(store, &claim, &attempt, arena, &failing_us, &err));
    assert_int_equal(failing_us, 0);
    assert_int_equal(scene_redis(s->scene, "EXISTS crier:{webhooks}:target:gone")->integer, 0);
    webhook_store_free(store);
    webhook_stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_sent_signed_and_once),
        cmocka_unit_test(exactly_what_the_condition_wants_is_sent),
        cmocka_unit_test(what_is_large_or_to_be_thin_goes_without_its_data),
        cmocka_unit_test(data_that_is_never_sent_is_not_kept_for_a_target),
        cmocka_unit_test(events_go_out_in_order_where_one_goes_at_a_time),
        cmocka_unit_test(a_target_that_misbehaves_does_not_delay_another),
        cmocka_unit_test(an_attempt_keeps_the_beginning_of_the_reply),
        cmocka_unit_test(an_event_that_comes_again_is_no_second_delivery),
        cmocka_unit_test(an_attempt_at_a_target_that_is_removed_meanwhile_brings_nothing_back),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
