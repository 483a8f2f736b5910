/* Events to an endpoint of the platform: what it says of each counts, and its troubles are not theirs. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "base/signature.h"
#include "support/canary.h"
#include "support/outside_stage.h"
#include "support/post_server.h"

#define SECRETS "whsec_" CANARY CANARY CANARY " whsec_AAAA" CANARY CANARY "AAAA"

struct stage {
    struct outside o;
    struct post_server *server;
    post_answer answer;
    int seen[OUTSIDE_EVENTS_MOST], done[OUTSIDE_EVENTS_MOST]; /* by the number in the event's id "e7" */
    int requests;
    int64_t requested_ms[100];
    char first_id[100];
};

static int number_of(const json_t *event)
{
    return atoi(json_member_text(event, "id", "e-1") + 1);
}

static void note(const json_t *events, int *counts)
{
    const json_t *event;
    size_t i;

    json_array_foreach(events, i, event) counts[number_of(event)]++;
}

static void on_post(void *context, const struct post_request *request, struct post_reply *reply)
{
    struct stage *st = context;
    json_t *events = post_request_events(request);

    assert_true(json_array_size(events) > 0);
    note(events, st->seen);
    if (st->requests < 100)
        st->requested_ms[st->requests] = clock_monotonic_ms();
    st->requests++;
    if (st->answer)
        st->answer(st, request, reply);
    if (reply->status == 204)
        note(events, st->done);
    json_decref(events);
}

/* Longer than a machine under load lets either side wait; what is about the time has its own. */
#define PATIENTLY "timeout = 30s\ndeadline = 120s\n"

static struct stage *open_stage(const char *keys)
{
    struct stage *st = calloc(1, sizeof *st);
    char text[1000], *ini;

    assert_non_null(st);
    st->server = post_server_start(on_post, st);
    snprintf(text, sizeof text,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue q]\nevents = **\n[handler mine]\ntype = post\n"
             "queue = q\nurl = SERVER/events\nschedule = at once\n%s%s",
             strstr(keys, "timeout = ") ? "" : PATIENTLY, keys);
    ini = scene_replaced(text, "SERVER", post_server_url(st->server));
    outside_open(&st->o, ini);
    free(ini);
    return st;
}

static void close_stage(struct stage *st)
{
    outside_close(&st->o);
    post_server_free(st->server);
    free(st);
}

/* --------------------------------------------------------------------------------------------- what is answered */

static void check_form(void *context, const struct post_request *r, struct post_reply *reply)
{
    json_t *events = post_request_events(r);
    const json_t *event;
    size_t i;

    (void)context;
    (void)reply;
    json_array_foreach(events, i, event)
    {
        assert_string_equal(json_member_text(event, "specversion", ""), "1.0");
        assert_string_equal(json_member_text(event, "subject", ""), "users/1");
        assert_string_equal(json_string_value(json_at(event, "data.text")), "\"\u00e4\n");
        assert_int_equal(json_integer_value(json_at(event, "data.n")), number_of(event));
    }
    assert_string_equal(r->authorization, "Bearer " CANARY "-post");
    json_decref(events);
}

static void a_batch_comes_whole_and_in_its_form_and_an_answer_without_body_means_that_all_is_done(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        struct stage *st = open_stage(form ? "form = ndjson\ntoken = " CANARY "-post\n" : "token = " CANARY "-post\n");

        st->answer = check_form;
        outside_append(&st->o, 0, 20);
        outside_work(&st->o, 20, 0);
        for (int i = 0; i < 20; i++)
            assert_int_equal(st->seen[i], 1);
        assert_int_equal(st->requests, 1);
        close_stage(st);
    }
}

/* e1 once more, e2 never, e4 is not spoken of, and one is that never was sent; the first time all of it. */
static void answer_each(void *context, const struct post_request *r, struct post_reply *reply)
{
    struct stage *st = context;

    (void)r;
    if (st->requests > 1)
        return;
    reply->status = 200;
    buf_add_text(&reply->body,
                 "{\"outcomes\":[{\"id\":\"e3\",\"outcome\":\"done\"},{\"id\":\"e2\",\"outcome\":\"dead\",\"reason\":"
                 "\"no such user\"},{\"id\":\"e99\",\"outcome\":\"done\"},{\"id\":\"e1\",\"outcome\":\"retry\"},"
                 "{\"id\":\"e0\",\"outcome\":\"done\",\"more\":[1]},{\"id\":\"e2\",\"outcome\":\"done\"}]}");
}

static void every_event_has_the_outcome_that_the_answer_gives_it_and_those_without_one_come_again(void **state)
{
    static const int seen[] = {1, 2, 1, 1, 2};
    struct stage *st = open_stage("");
    struct dead_letter *letter;

    (void)state;
    st->answer = answer_each;
    outside_append(&st->o, 0, 5);
    outside_work(&st->o, 4, 1);
    assert_memory_equal(st->seen, seen, sizeof seen);
    letter = outside_letters(&st->o, 1);
    assert_true(span_is(letter->event.id, "e2"));
    assert_string_equal(letter->reply, "no such user");
    assert_int_equal(st->o.away, 0);
    close_stage(st);
}

static void answer_in_order(void *context, const struct post_request *r, struct post_reply *reply)
{
    struct stage *st = context;

    (void)r;
    if (st->requests > 1)
        return;
    reply->status = 200;
    buf_add_text(&reply->body, "[{\"outcome\":\"done\"},{\"outcome\":\"dead\"},{\"outcome\":\"retry\"}]");
}

static void outcomes_without_ids_are_those_of_the_events_in_their_order(void **state)
{
    struct stage *st = open_stage("");

    (void)state;
    st->answer = answer_in_order;
    outside_append(&st->o, 0, 3);
    outside_work(&st->o, 2, 1);
    assert_true(span_is(outside_letters(&st->o, 1)->event.id, "e1"));
    assert_int_equal(st->seen[0], 1);
    assert_int_equal(st->seen[2], 2);
    close_stage(st);
}

/* 400 for every request that holds one of two events. */
static void refuse_two(void *context, const struct post_request *r, struct post_reply *reply)
{
    (void)context;
    if (!strstr(r->body, "\"id\":\"e17\"") && !strstr(r->body, "\"id\":\"e230\""))
        return;
    reply->status = 400;
    buf_add_text(&reply->body, "{\"error\":\"I cannot read this\"}");
}

static void an_event_that_is_refused_ends_alone_in_the_dead_letters_and_its_neighbours_are_done(void **state)
{
    struct stage *st = open_stage("");
    struct dead_letter *letter;

    (void)state;
    st->answer = refuse_two;
    outside_append(&st->o, 0, 300);
    outside_work(&st->o, 298, 2);
    letter = outside_letters(&st->o, 2);
    assert_non_null(strstr(letter[0].reply, "400: {\"error\":\"I cannot read this\"}"));
    for (int i = 0; i < 300; i++)
        assert_int_equal(st->done[i], i != 17 && i != 230);
    assert_int_equal(st->o.away, 0);
    assert_true(st->requests < 60);
    close_stage(st);
}

/* ------------------------------------------------------------------------------------------------- its troubles */

static void answer_busy(void *context, const struct post_request *r, struct post_reply *reply)
{
    struct stage *st = context;

    (void)r;
    if (st->requests > 1)
        return;
    reply->status = 503;
    reply->retry_after_s = 1;
}

static void a_busy_endpoint_is_left_alone_as_long_as_it_asks_for_and_no_event_loses_a_try(void **state)
{
    struct stage *st = open_stage("tries = 1\n");

    (void)state;
    st->answer = answer_busy;
    outside_append(&st->o, 0, 5);
    outside_work(&st->o, 5, 0);
    assert_int_equal(st->requests, 2);
    assert_true(st->requested_ms[1] - st->requested_ms[0] >= 1000);
    close_stage(st);
}

static void answer_in_vain(void *context, const struct post_request *r, struct post_reply *reply)
{
    static const int statuses[] = {401, 404, 302, 200, 200, 429, 200};
    struct stage *st = context;

    (void)r;
    if (st->requests > (int)ARRAY_LENGTH(statuses))
        return;
    reply->status = statuses[st->requests - 1];
    reply->cut = st->requests == 5;
    buf_add_text(&reply->body, st->requests == 4 ? "<html>log in</html>" : "{\"outcomes\":[]}");
    if (st->requests == 7)
        reply->wait_ms = 3500; /* longer than the handler waits */
}

static void what_is_the_operators_or_a_gateways_to_put_right_costs_no_try_and_heals_without_a_restart(void **state)
{
    struct stage *st = open_stage("tries = 1\ntimeout = 3s\ndeadline = 12s\n");

    (void)state;
    st->answer = answer_in_vain;
    outside_append(&st->o, 0, 3);
    outside_work(&st->o, 3, 0);
    assert_int_equal(st->o.away, 7);
    close_stage(st);
}

/* e9 brings the platform's program down, whatever comes with it. */
static void answer_or_break(void *context, const struct post_request *r, struct post_reply *reply)
{
    (void)context;
    if (strstr(r->body, "\"id\":\"e9\""))
        reply->status = 500;
}

static void an_event_that_breaks_the_endpoint_is_a_dead_letter_in_the_end_and_costs_its_neighbours_nothing(void **state)
{
    struct stage *st = open_stage("tries = 2\n");

    (void)state;
    st->answer = answer_or_break;
    outside_append(&st->o, 0, 20);
    outside_work(&st->o, 19, 0);
    outside_append(&st->o, 20, 1); /* the endpoint is seen to work once more */
    outside_work(&st->o, 20, 1);
    assert_true(span_is(outside_letters(&st->o, 1)->event.id, "e9"));
    assert_int_equal(outside_letters(&st->o, 1)->tries, 2);
    close_stage(st);
}

/* --------------------------------------------------------------------------------------------------- signatures */

static void check_signature(void *context, const struct post_request *r, struct post_reply *reply)
{
    struct signature_claim claim = {r->id, r->timestamp, r->signature};
    struct stage *st = context;
    struct error err;
    const char *word, *each = SECRETS;
    size_t length;

    while (text_word(&each, &word, &length)) {
        char secret[100];
        struct signer *one;

        snprintf(secret, sizeof secret, "%.*s", (int)length, word);
        one = signer_new(secret, &err);
        assert_non_null(one);
        if (!signature_verify(one, &claim, clock_wall_us() / US_PER_SECOND, r->body, r->length, &err))
            fail_msg("%s", err.text);
        signer_free(one);
    }
    if (st->requests == 1) {
        snprintf(st->first_id, sizeof st->first_id, "%s", r->id);
        reply->status = 503;
    } else if (st->requests == 2) {
        assert_string_equal(r->id, st->first_id);
    } else {
        assert_string_not_equal(r->id, st->first_id);
    }
}

static void requests_are_signed_by_every_secret_and_the_same_events_go_under_the_same_id(void **state)
{
    struct stage *st = open_stage("secret = " SECRETS "\n");

    (void)state;
    st->answer = check_signature;
    outside_append(&st->o, 0, 10);
    outside_work(&st->o, 10, 0);
    outside_append(&st->o, 10, 10);
    outside_work(&st->o, 20, 0);
    assert_int_equal(st->requests, 3);
    assert_null(strstr(st->o.why, "whsec"));
    close_stage(st);
}

/* ------------------------------------------------------------------------------------------ the service as a whole */

static int done_once_at_least(struct stage *st, int from, int count)
{
    int all = 0;

    post_server_lock(st->server);
    for (int i = from; i < from + count; i++)
        all += st->done[i] > 0;
    post_server_unlock(st->server);
    return all;
}

static void wait_for_all(struct stage *st, int from, int count)
{
    int64_t until_ms = clock_monotonic_ms() + OUTSIDE_PATIENCE_MS;

    while (done_once_at_least(st, from, count) < count) {
        assert_true(clock_monotonic_ms() < until_ms);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

static void answer_after_a_while(void *context, const struct post_request *r, struct post_reply *reply)
{
    (void)context;
    reply->wait_ms = strcmp(r->path, "/slow") == 0 ? 900 : 20;
    if (strcmp(r->path, "/slow") == 0)
        reply->status = 503;
}

static void killed_in_the_middle_the_service_loses_nothing_and_a_slow_endpoint_delays_no_other(void **state)
{
    struct stage *st = open_stage(
        "batch = 5\ntimeout = 3s\ndeadline = 12s\n[handler slow]\ntype = post\nqueue = q\nurl = SERVER/slow\n"
        "timeout = 1s\nschedule = at once\n");
    int64_t began_ms;

    (void)state;
    st->answer = answer_after_a_while;
    outside_append(&st->o, 0, 200);
    st->o.serve = crier_serve_start(st->o.scene->config_path);
    wait_for_all(st, 0, 30);
    for (int kill = 0; kill < 2; kill++) {
        outside_kill(&st->o);
        wait_for_all(st, 0, 30 * (kill + 2));
    }
    wait_for_all(st, 0, 200);
    began_ms = clock_monotonic_ms();
    outside_append(&st->o, 200, 100); /* 20 ms a request of the one, 900 of the other */
    wait_for_all(st, 200, 100);
    assert_true(clock_monotonic_ms() - began_ms < 15000); /* one after the other they would take 18 s */
    assert_int_equal(scene_redis(st->o.scene, "XLEN crier:{q}:dead")->integer, 0);
    server_stop(st->o.serve);
    close_stage(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_comes_whole_and_in_its_form_and_an_answer_without_body_means_that_all_is_done),
        cmocka_unit_test(every_event_has_the_outcome_that_the_answer_gives_it_and_those_without_one_come_again),
        cmocka_unit_test(outcomes_without_ids_are_those_of_the_events_in_their_order),
        cmocka_unit_test(an_event_that_is_refused_ends_alone_in_the_dead_letters_and_its_neighbours_are_done),
        cmocka_unit_test(a_busy_endpoint_is_left_alone_as_long_as_it_asks_for_and_no_event_loses_a_try),
        cmocka_unit_test(what_is_the_operators_or_a_gateways_to_put_right_costs_no_try_and_heals_without_a_restart),
        cmocka_unit_test(
            an_event_that_breaks_the_endpoint_is_a_dead_letter_in_the_end_and_costs_its_neighbours_nothing),
        cmocka_unit_test(requests_are_signed_by_every_secret_and_the_same_events_go_under_the_same_id),
        cmocka_unit_test(killed_in_the_middle_the_service_loses_nothing_and_a_slow_endpoint_delays_no_other),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
