/* An index that takes no writes costs the others nothing: it is paused, and asked again once in a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/bulk_stage.h"

/* Two items for the blocked index and one for another, which is done each time. */
static void send_to_both(struct stage *s, int64_t version, enum bulk_outcome blocked)
{
    char other[60];
    struct bulk_target target = stage_write(s, "one", version);
    size_t first, second, neighbour;

    snprintf(other, sizeof other, "%s-other", s->index);
    bulk_start(s->bulk);
    first = stage_add(s, stage_write(s, "first", version), "{}");
    target.index = other;
    neighbour = stage_add(s, target, "{}");
    second = stage_add(s, stage_write(s, "second", version), "{}");
    stage_send(s);
    stage_outcome_is(s, first, blocked);
    stage_outcome_is(s, second, blocked);
    stage_outcome_is(s, neighbour, BULK_DONE);
}

static void block(struct stage *s, const char *how, bool on)
{
    char body[100];

    snprintf(body, sizeof body, "{\"index.blocks.%s\":%s}", how, on ? "true" : "null");
    stage_ask(s, "PUT", s->index, "/_settings", body);
}

static void a_blocked_index_costs_others_nothing(struct stage *s, const char *how)
{
    send_to_both(s, 1, BULK_DONE);
    block(s, how, true);
    send_to_both(s, 2, BULK_PAUSED);
    assert_non_null(strstr(bulk_item(s->bulk, 0)->reason, "blocked by"));
    fault_proxy_forget(s->proxy);
    send_to_both(s, 3, BULK_PAUSED);
    assert_int_equal(fault_proxy_counts(s->proxy).items_forwarded, 1); /* the neighbour */
    bulk_start(s->bulk);
    stage_add_many(s, 4, 10);
    fault_proxy_forget(s->proxy);
    stage_send(s);
    stage_all_are(s, BULK_PAUSED);
    assert_non_null(strstr(bulk_item(s->bulk, 9)->reason, "blocked by"));
    assert_int_equal(stage_requests(s), 0);
    block(s, how, false);
}

static void a_read_only_index_is_paused_and_others_go_on(void **state)
{
    a_blocked_index_costs_others_nothing(*state, "write");
}

static void an_index_at_flood_stage_is_paused_and_others_go_on(void **state)
{
    a_blocked_index_costs_others_nothing(*state, "read_only_allow_delete");
}

static void one_probe_every_30_s_ends_the_pause(void **state)
{
    struct stage *s = *state;
    int64_t start_ms, deadline_ms;

    fault_proxy_set(s->proxy, &(struct fault){.item_status = 403, .item_every = 1});
    stage_add_many(s, 1, 10);
    start_ms = clock_monotonic_ms(); /* at the latest: the pause begins with the answer */
    stage_send(s);
    stage_all_are(s, BULK_PAUSED);
    deadline_ms = start_ms + 90000;
    fault_proxy_set(s->proxy, NULL);
    fault_proxy_forget(s->proxy);
    do {
        usleep(200 * 1000);
        bulk_start(s->bulk);
        stage_add_many(s, 1, 10);
        stage_send(s);
    } while (stage_count(s, BULK_DONE) == 0 && clock_monotonic_ms() < deadline_ms);
    assert_true(clock_monotonic_ms() - start_ms >= 29000);
    assert_int_equal(stage_count(s, BULK_DONE), 1);
    assert_int_equal(stage_count(s, BULK_PAUSED), 9);
    assert_int_equal(fault_proxy_counts(s->proxy).items_forwarded, 1);
    bulk_start(s->bulk);
    stage_add_many(s, 2, 10);
    stage_send(s);
    stage_all_are(s, BULK_DONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_read_only_index_is_paused_and_others_go_on),
        TEST(an_index_at_flood_stage_is_paused_and_others_go_on),
        TEST(one_probe_every_30_s_ends_the_pause),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
