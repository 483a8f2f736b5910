/* A bulk of which nobody knows what became: it is sent again, and nothing is lost or doubled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/bulk_stage.h"

static void what_became_of_it_unknown_it_is_sent_again(struct stage *s, enum fault_link fault)
{
    stage_add_many(s, 1, 100);
    fault_proxy_set(s->proxy, &(struct fault){.link = fault});
    stage_send_fails(s);
    stage_all_are(s, BULK_UNSENT);
    fault_proxy_set(s->proxy, NULL);
    stage_send(s);
    assert_int_equal(stage_count(s, BULK_DONE) + stage_count(s, BULK_SUPERSEDED), 100);
    stage_all_are_stored(s, 100);
}

static void a_connection_reset_before_the_request_went_on_loses_nothing(void **state)
{
    struct stage *s = *state;

    what_became_of_it_unknown_it_is_sent_again(s, FAULT_RESET_BEFORE);
    stage_all_are(s, BULK_DONE);
}

static void a_connection_reset_instead_of_a_reply_loses_nothing(void **state)
{
    struct stage *s = *state;

    what_became_of_it_unknown_it_is_sent_again(s, FAULT_RESET_AFTER);
    stage_all_are(s, BULK_SUPERSEDED); /* it had been carried out */
}

static void a_reply_cut_short_loses_nothing(void **state)
{
    what_became_of_it_unknown_it_is_sent_again(*state, FAULT_CUT_REPLY);
}

static void a_reply_of_half_a_list_loses_nothing(void **state)
{
    what_became_of_it_unknown_it_is_sent_again(*state, FAULT_CUT_ITEM_LIST);
}

static void a_reply_with_one_item_too_few_loses_nothing(void **state)
{
    what_became_of_it_unknown_it_is_sent_again(*state, FAULT_ITEM_MISSING);
}

static void a_server_that_hangs_is_left_within_the_time_limit(void **state)
{
    struct stage *s = *state;
    struct client *hasty = stage_client(fault_proxy_url(s->proxy), 500, false);
    int64_t start_ms = clock_monotonic_ms();

    bulk_free(s->bulk);
    s->bulk = bulk_new(hasty, BULK_BYTES);
    fault_proxy_set(s->proxy, &(struct fault){.link = FAULT_HANG});
    stage_add_many(s, 1, 10);
    stage_send_fails(s);
    assert_in_range(clock_monotonic_ms() - start_ms, 450, 20000);
    stage_all_are(s, BULK_UNSENT);
    bulk_free(s->bulk);
    s->bulk = bulk_new(s->client, BULK_BYTES);
    client_free(hasty);
}

static void a_server_that_was_down_gets_everything_when_it_is_back(void **state)
{
    struct stage *s = *state;

    fault_proxy_down(s->proxy);
    stage_add_many(s, 1, 100);
    for (int i = 0; i < 20; i++)
        stage_send_fails(s);
    stage_all_are(s, BULK_UNSENT);
    fault_proxy_up(s->proxy);
    fault_proxy_forget(s->proxy);
    stage_send(s);
    stage_all_are(s, BULK_DONE);
    assert_int_equal(stage_requests(s), 1); /* an outage is no reason for smaller ones */
}

static void a_connection_closed_while_idle_is_no_error(void **state)
{
    struct stage *s = *state;

    for (int64_t version = 1; version <= 5; version++) {
        bulk_start(s->bulk);
        stage_add_many(s, version, 10);
        stage_send(s);
        stage_all_are(s, BULK_DONE);
        fault_proxy_down(s->proxy);
        fault_proxy_up(s->proxy);
    }
}

/* ------------------------------------------------------------------------------------------- everything at once */

static struct fault random_fault(void)
{
    static const enum fault_link links[] = {FAULT_RESET_BEFORE, FAULT_RESET_AFTER, FAULT_CUT_REPLY, FAULT_CUT_ITEM_LIST,
                                            FAULT_ITEM_MISSING};
    static const int statuses[] = {429, 500, 502, 503, 504, 413, 403};
    struct fault s = {.times = 1 + (int)random_below(3)};

    switch (random_below(4)) {
    case 0:
        s.link = links[random_below(ARRAY_LENGTH(links))];
        break;
    case 1:
        s.status = statuses[random_below(ARRAY_LENGTH(statuses))];
        s.longer_than = 500; /* no single item is ever refused */
        break;
    case 2:
        s.item_status = random_below(2) ? 429 : 503;
        s.item_every = 1 + (int)random_below(7);
        break;
    default:
        s.link = FAULT_RESET_AFTER;
        s.times = 0;
    }
    return s;
}

static void under_any_mixture_of_faults_every_document_ends_as_its_last_version(void **state)
{
    enum { ROUNDS = 150, IDS = 40 };
    struct stage *s = *state;
    char id[20], document[40];

    for (int round = 1; round <= ROUNDS; round++) {
        struct fault fault = random_fault();

        bulk_start(s->bulk);
        for (int i = 0; i < IDS; i++) {
            snprintf(id, sizeof id, "%d", i);
            snprintf(document, sizeof document, "{\"round\":%d}", round);
            stage_add(s, stage_write(s, id, round), document);
        }
        fault_proxy_set(s->proxy, &fault);
        for (int tries = 0; !bulk_send(s->bulk, &s->err) || stage_count(s, BULK_BUSY) > 0; tries++) {
            bulk_again(s->bulk);
            if (tries == 4)
                fault_proxy_set(s->proxy, NULL);
            assert_true(tries < 10);
        }
        assert_int_equal(stage_count(s, BULK_DONE) + stage_count(s, BULK_SUPERSEDED), IDS);
    }
    for (int i = 0; i < IDS; i++) {
        snprintf(id, sizeof id, "%d", i);
        snprintf(document, sizeof document, "{\"round\":%d}", ROUNDS);
        stage_stored_is(s, id, ROUNDS, document);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_reset_before_the_request_went_on_loses_nothing),
        TEST(a_connection_reset_instead_of_a_reply_loses_nothing),
        TEST(a_reply_cut_short_loses_nothing),
        TEST(a_reply_of_half_a_list_loses_nothing),
        TEST(a_reply_with_one_item_too_few_loses_nothing),
        TEST(a_server_that_hangs_is_left_within_the_time_limit),
        TEST(a_server_that_was_down_gets_everything_when_it_is_back),
        TEST(a_connection_closed_while_idle_is_no_error),
        TEST(under_any_mixture_of_faults_every_document_ends_as_its_last_version),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
