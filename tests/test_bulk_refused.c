/* A bulk that is refused as a whole: for one bad item, for its size, for the time being, or by somebody in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/bulk_stage.h"

/* Both conditions at once: OpenSearch refuses the whole request for it. */
static size_t add_poison(struct stage *s, const char *id)
{
    struct bulk_target target = stage_write(s, id, 5);

    target.seq_no = target.primary_term = 1;
    return stage_add(s, target, "{}");
}

static void a_bad_item_is_found_in_few_requests(void **state)
{
    static const int places[] = {0, 1, 333, 499, 500, 511, 512, 998, 999};
    struct stage *s = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        bulk_start(s->bulk);
        for (int number = 0; number < MANY; number++)
            if (number == places[i])
                add_poison(s, "poison");
            else
                stage_add_numbered(s, 10 + (int64_t)i, number);
        fault_proxy_forget(s->proxy);
        stage_send(s);
        assert_int_equal(stage_count(s, BULK_DONE), MANY - 1);
        stage_outcome_is(s, (size_t)places[i], BULK_DEAD);
        assert_non_null(strstr(bulk_item(s->bulk, (size_t)places[i])->reason, "Validation Failed"));
        assert_in_range(stage_requests(s), 1, 20); /* 2*log2(1000)+1 = 20.9 */
    }
}

static void every_item_of_a_bad_lot_is_found(void **state)
{
    struct stage *s = *state;
    char id[20];

    for (int i = 0; i < 64; i++) {
        snprintf(id, sizeof id, "p%d", i);
        if (i % 9 == 4)
            add_poison(s, id);
        else
            stage_add_numbered(s, 1, i);
    }
    stage_send(s);
    assert_int_equal(stage_count(s, BULK_DEAD), 7);
    assert_int_equal(stage_count(s, BULK_DONE), 57);
}

static void a_request_too_large_is_halved_and_the_size_remembered(void **state)
{
    struct stage *s = *state;

    fault_proxy_set(s->proxy, &(struct fault){.status = 413, .longer_than = 20000, .body = "<html>too large</html>"});
    stage_add_many(s, 1, MANY);
    stage_send(s);
    stage_all_are(s, BULK_DONE);
    bulk_start(s->bulk);
    stage_add_many(s, 2, MANY);
    fault_proxy_forget(s->proxy);
    stage_send(s);
    stage_all_are(s, BULK_DONE);
    assert_int_equal(stage_requests(s), fault_proxy_counts(s->proxy).requests_forwarded); /* none was too large again */
}

static void a_document_too_large_is_dead_alone(void **state)
{
    struct stage *s = *state;
    struct buf document = BUF_INIT;
    size_t large;

    fault_proxy_set(s->proxy, &(struct fault){.status = 413, .longer_than = 20000, .body = "<html>too large</html>"});
    buf_add_text(&document, "{\"text\":\"");
    for (int i = 0; i < 3000; i++)
        buf_add_text(&document, "too long ");
    buf_add_text(&document, "\"}");
    stage_add_many(s, 1, 100);
    large = stage_add(s, stage_write(s, "large", 1), document.data);
    for (int i = 100; i < 200; i++)
        stage_add_numbered(s, 1, i);
    stage_send(s);
    assert_int_equal(stage_count(s, BULK_DONE), 200);
    stage_outcome_is(s, large, BULK_DEAD);
    assert_int_equal(bulk_item(s->bulk, large)->status, 413);
    stage_all_are_stored(s, 200);
    buf_release(&document);
}

static void a_busy_server_is_asked_less_and_not_before_it_wants(void **state)
{
    struct stage *s = *state;

    fault_proxy_set(s->proxy, &(struct fault){.status = 429, .retry_after_s = 7});
    stage_add_many(s, 1, 100);
    stage_send_fails(s);
    assert_non_null(strstr(s->err.text, "as the test wants"));
    stage_all_are(s, BULK_UNSENT);
    assert_int_equal(bulk_retry_after_ms(s->bulk), 7000);
    assert_int_equal(stage_requests(s), 1);
    fault_proxy_set(s->proxy, NULL);
    fault_proxy_forget(s->proxy);
    stage_send(s);
    stage_all_are(s, BULK_DONE);
    assert_int_equal(bulk_retry_after_ms(s->bulk), 0);
    assert_int_equal(stage_requests(s), 2); /* 50, then 51 at most */
}

static void the_size_grows_again_by_a_tenth(void **state)
{
    struct stage *s = *state;

    fault_proxy_set(s->proxy, &(struct fault){.status = 503, .times = 1});
    stage_add_many(s, 1, 200);
    stage_send_fails(s);
    fault_proxy_forget(s->proxy);
    stage_send(s);
    assert_int_equal(stage_requests(s), 2); /* 100, then 111 at most */
    for (int64_t version = 2; version < 10; version++) {
        bulk_start(s->bulk);
        stage_add_many(s, version, 200);
        stage_send(s);
    }
    bulk_start(s->bulk);
    stage_add_many(s, 10, 200);
    fault_proxy_forget(s->proxy);
    stage_send(s);
    assert_int_equal(stage_requests(s), 1);
}

static void a_refusal_of_the_whole_request_kills_no_item(void **state)
{
    static const int statuses[] = {401, 403, 404, 405, 406, 429, 500, 502, 503, 504, 301};
    struct stage *s = *state;

    stage_add_many(s, 1, 10);
    for (size_t i = 0; i < ARRAY_LENGTH(statuses); i++) {
        fault_proxy_set(s->proxy, &(struct fault){.status = statuses[i]});
        stage_send_fails(s);
        assert_non_null(strstr(s->err.text, "as the test wants"));
        stage_all_are(s, BULK_UNSENT);
    }
    fault_proxy_set(s->proxy, NULL);
    stage_send(s);
    stage_all_are(s, BULK_DONE);
}

static void a_gateways_400_kills_no_item(void **state)
{
    struct stage *s = *state;

    fault_proxy_set(s->proxy, &(struct fault){.status = 400, .body = "<html>plain HTTP sent to an HTTPS port</html>"});
    stage_add_many(s, 1, 10);
    stage_send_fails(s);
    assert_non_null(strstr(s->err.text, "HTTPS port"));
    stage_all_are(s, BULK_UNSENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_bad_item_is_found_in_few_requests),
        TEST(every_item_of_a_bad_lot_is_found),
        TEST(a_request_too_large_is_halved_and_the_size_remembered),
        TEST(a_document_too_large_is_dead_alone),
        TEST(a_busy_server_is_asked_less_and_not_before_it_wants),
        TEST(the_size_grows_again_by_a_tenth),
        TEST(a_refusal_of_the_whole_request_kills_no_item),
        TEST(a_gateways_400_kills_no_item),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
