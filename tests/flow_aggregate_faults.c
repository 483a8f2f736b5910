/* Aggregations where something goes wrong: what is there in the end is right, and nobody waits for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "support/aggregate_stage.h"
#include "support/fault_proxy.h"
#include "support/process.h"
#include "support/search_index.h"

static void a_run_that_is_stopped_is_gone_on_with(void **state)
{
    struct scene *s = *state;
    struct error err;
    int64_t items, before, all = 0;
    int rounds = 0;

    many_views_happen(s, "2026-10-05", 65);
    for (bool ok = false; !ok; rounds++) {
        before = aggregation_marks(s, "small");
        ok = try_aggregation(s, "small", (struct turn){.goes_on = 5}, &items, &err);
        assert_true(ok || err.kind == ERROR_AGAIN);
        assert_int_equal(aggregation_marks(s, "small"), before - items);
        all += items;
        assert_true(rounds < 10);
    }
    assert_true(rounds > 2);
    assert_int_equal(all, 65);
    assert_int_equal(index_count(s->settings, "stats-small"), 65);
}

static void a_run_that_is_killed_anywhere_is_gone_on_with(void **state)
{
    struct scene *s = *state;

    many_views_happen(s, "2026-10-05", 65);
    for (int at = 0; at < 12; at++) {
        pid_t child = fork_bound();
        int status;

        if (child == 0) {
            struct error err;
            int64_t items;

            redis_drop(s->redis);
            _exit(try_aggregation(s, "small", (struct turn){.goes_on = at, .dies = true}, &items, &err) ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    }
    run_aggregation(s, "small");
    assert_int_equal(index_count(s->settings, "stats-small"), 65);
    assert_int_equal(aggregate_count(s, "stats-small-2026", "ui_k0064-2026-10-05"), 1);
    assert_int_equal(aggregation_marks(s, "small"), 0);
}

static void an_emptied_redis_loses_no_event(void **state)
{
    struct scene *s = *state;

    many_views_happen(s, "2026-10-05", 5);
    run_aggregation(s, "day");
    many_views_happen(s, "2026-10-05", 5);
    scene_redis(s, "FLUSHALL");
    run_aggregation(s, "day");
    assert_int_equal(aggregate_count(s, "stats-day-2026-10", "ui_k0004-2026-10-05"), 2);
    scene_redis(s, "FLUSHALL");
    many_views_happen(s, "2026-10-05", 1);
    run_aggregation(s, "small");
    assert_int_equal(index_count(s->settings, "stats-small"), 5);
    assert_int_equal(aggregate_count(s, "stats-small-2026", "ui_k0000-2026-10-05"), 3);
}

static void a_redis_emptied_in_the_middle_of_a_run_loses_no_event(void **state)
{
    struct scene *s = *state;
    struct error err;
    int64_t items;

    views_happen(s, &(struct view){"2026-10-05T10:00:00", "a", "s", 1.0, "\"updated_timestamp\":\"2021-01-01\""}, 1);
    assert_false(try_aggregation(s, "day", (struct turn){.goes_on = -1, .empties = s}, &items, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_int_equal(run_aggregation(s, "day"), 1);
    assert_int_equal(aggregate_count(s, "stats-day-2026-10", "ui_a-2026-10-05"), 1);
}

static void higher_versions_in_the_index_are_overcome(void **state)
{
    struct scene *s = *state;

    many_views_happen(s, "2026-10-05", 3);
    index_bulk(s->settings,
               arena_printf(s->arena,
                            "{\"index\":{\"_index\":\"%sstats-small-2026\",\"_id\":\"ui_k0001-2026-10-05\","
                            "\"version\":4000000000000000,\"version_type\":\"external\"}}\n{\"count\":99}\n",
                            s->settings->opensearch.prefix));
    assert_int_equal(run_aggregation(s, "small"), 3);
    assert_int_equal(aggregate_count(s, "stats-small-2026", "ui_k0001-2026-10-05"), 1);
    assert_int_equal(aggregation_marks(s, "small"), 0);
}

static void a_document_that_is_refused_keeps_no_other_from_being_written(void **state)
{
    struct scene *s = *state;
    struct error err;
    int64_t items;

    json_decref(index_ask(s->settings, "PUT",
                          arena_printf(s->arena, "/%sstats-small-2026", s->settings->opensearch.prefix),
                          "{\"mappings\":{\"properties\":{\"recid\":{\"type\":\"integer\"}}}}"));
    many_views_happen(s, "2026-10-05", 25);
    views_happen(s,
                 (const struct view[]){
                     {"2026-10-05T10:00:00", "7", "s", 1.0, NULL}
    },
                 1);
    assert_false(try_aggregation(s, "small", (struct turn){.goes_on = -1}, &items, &err));
    assert_non_null(strstr(err.text, "refuses"));
    assert_int_equal(items, 1);
    assert_int_equal(aggregation_marks(s, "small"), 25);
    index_delete(s->settings, "stats-small-2026");
    assert_int_equal(run_aggregation(s, "small"), 25);
    assert_int_equal(aggregation_marks(s, "small"), 0);
}

static void block_writes(struct scene *s, const char *index, bool blocked)
{
    json_decref(index_ask(s->settings, "PUT",
                          arena_printf(s->arena, "/%s%s/_settings", s->settings->opensearch.prefix, index),
                          blocked ? "{\"index.blocks.write\":true}" : "{\"index.blocks.write\":false}"));
}

/* An old year's index is made read-only; more of its keys are marked than a run takes. */
static void an_index_that_is_blocked_keeps_no_other_from_being_written(void **state)
{
    struct scene *s = *state;
    struct error err;
    int64_t items;

    many_views_happen(s, "2025-10-05", 1);
    run_aggregation(s, "small");
    block_writes(s, "stats-small-2025", true);
    many_views_happen(s, "2025-10-05", 50);
    many_views_happen(s, "2026-10-05", 5);
    assert_false(try_aggregation(s, "small", (struct turn){.goes_on = -1}, &items, &err));
    assert_non_null(strstr(err.text, "block"));
    assert_false(try_aggregation(s, "small", (struct turn){.goes_on = -1}, &items, &err));
    assert_int_equal(items, 5);
    assert_int_equal(aggregation_marks(s, "small"), 50);
    block_writes(s, "stats-small-2025", false);
    run_aggregation(s, "small");
    assert_int_equal(aggregate_count(s, "stats-small-2025", "ui_k0000-2025-10-05"), 2);
}

static void a_key_too_long_for_an_id_is_passed_over(void **state)
{
    struct scene *s = *state;
    char *key = arena_alloc(s->arena, 601);

    memset(key, 'x', 600);
    key[600] = '\0';
    many_views_happen(s, "2026-10-05", 2);
    views_happen(s, &(struct view){"2026-10-05T10:00:00", key, "s", 1.0, NULL}, 1);
    assert_int_equal(run_aggregation(s, "small"), 2);
    assert_int_equal(aggregation_marks(s, "small"), 0);
}

/* --------------------------------------------------------------------------------------------- behind the proxy */

/* The same scene, with a proxy before its OpenSearch. */
struct behind {
    struct server *search;
    struct fault_proxy *proxy;
    struct settings settings;
    struct scene scene;
};

static struct scene *go_behind(struct behind *b, const struct scene *s)
{
    b->search = opensearch_server_start();
    b->proxy = fault_proxy_start(server_port(b->search));
    b->settings = *s->settings;
    b->settings.opensearch.url = arena_text(s->arena, fault_proxy_url(b->proxy));
    b->scene = *s;
    b->scene.settings = &b->settings;
    return &b->scene;
}

static void come_out(struct behind *b)
{
    fault_proxy_free(b->proxy);
    server_free(b->search);
}

static void a_search_that_is_too_large_goes_through_in_smaller_pages(void **state)
{
    struct scene *s = *state, *scene;
    struct behind b;

    many_views_happen(s, "2026-10-05", 200);
    run_aggregation(s, "year"); /* OpenSearch has seen all by now */
    scene = go_behind(&b, s);
    fault_proxy_set(b.proxy, &(struct fault){.path_with = "_search",
                                             .longer_than = 1000,
                                             .status = 503,
                                             .body = "{\"error\":{\"type\":\"too_many_buckets_exception\","
                                                     "\"reason\":\"too many\"},\"status\":503}"});
    assert_int_equal(run_aggregation(scene, "day"), 200);
    assert_int_equal(index_count(s->settings, "stats-day"), 200);
    come_out(&b);
}

static void a_search_that_takes_too_long_goes_through_in_smaller_pages(void **state)
{
    struct scene *s = *state, *scene;
    struct behind b;

    many_views_happen(s, "2026-10-05", 200);
    run_aggregation(s, "year"); /* OpenSearch has seen all by now */
    scene = go_behind(&b, s);
    b.settings.opensearch.timeout_ms = 4000;
    fault_proxy_set(b.proxy, &(struct fault){.path_with = "_search", .longer_than = 1500, .link = FAULT_HANG});
    assert_int_equal(run_aggregation(scene, "day"), 200);
    assert_int_equal(index_count(s->settings, "stats-day"), 200);
    come_out(&b);
}

static void a_write_that_fails_leaves_its_keys_marked(void **state)
{
    struct scene *s = *state, *scene;
    struct behind b;
    struct error err;
    int64_t items;

    many_views_happen(s, "2026-10-05", 20);
    scene = go_behind(&b, s);
    fault_proxy_set(b.proxy, &(struct fault){.path_with = "_bulk", .item_status = 429, .item_every = 4});
    assert_false(try_aggregation(scene, "day", (struct turn){.goes_on = -1}, &items, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_int_equal(items, 15);
    assert_int_equal(aggregation_marks(s, "day"), 5);
    fault_proxy_set(b.proxy, &(struct fault){.path_with = "_bulk", .link = FAULT_RESET_AFTER, .times = 3});
    assert_false(try_aggregation(scene, "day", (struct turn){.goes_on = -1}, &items, &err));
    fault_proxy_set(b.proxy, NULL);
    run_aggregation(scene, "day");
    assert_int_equal(index_count(s->settings, "stats-day"), 20);
    assert_int_equal(aggregation_marks(s, "day"), 0);
    come_out(&b);
}

/* As after a kill between the delete and the mark: nothing in the index tells whose aggregate it was. */
static void a_record_hears_of_an_aggregate_that_went_without_an_answer(void **state)
{
    struct scene *s = *state, *scene;
    struct behind b;
    struct error err;
    int64_t items;

    many_views_happen(s, "2026-10-05", 2);
    run_aggregation(s, "day");
    scene_redis(s, "DEL crier:{q}:dirty:totals");
    forget_views(s, "k0001");
    mark_view(s, "day", "2026-10-05T10:00:00", "ui_k0001");
    scene = go_behind(&b, s);
    fault_proxy_set(b.proxy, &(struct fault){.path_with = "_bulk", .link = FAULT_RESET_AFTER});
    assert_false(try_aggregation(scene, "day", (struct turn){.goes_on = -1}, &items, &err));
    fault_proxy_set(b.proxy, NULL);
    assert_int_equal(index_count(s->settings, "stats-day"), 1);
    run_aggregation(scene, "day");
    assert_int_equal(aggregation_marks(s, "totals"), 1);
    come_out(&b);
}

/* So many that they are divided among the handler's hands. */
static void hands_at_work_together_leave_marked_what_any_of_them_could_not_write(void **state)
{
    struct scene *s = *state, *scene;
    struct behind b;
    struct error err;
    int64_t items;

    many_views_happen(s, "2026-10-05", 1200);
    scene = go_behind(&b, s);
    fault_proxy_set(b.proxy, &(struct fault){.path_with = "_bulk", .item_status = 429, .item_id_with = "ui_k11"});
    assert_false(try_aggregation(scene, "day", (struct turn){.goes_on = -1}, &items, &err));
    assert_int_equal(items, 1100);
    assert_int_equal(aggregation_marks(s, "day"), 100);
    assert_false(try_aggregation(scene, "day", (struct turn){.goes_on = 1}, &items, &err));
    fault_proxy_set(b.proxy, NULL);
    assert_int_equal(run_aggregation(scene, "day"), 100);
    assert_int_equal(index_count(s->settings, "stats-day"), 1200);
    come_out(&b);
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, aggregate_stage_open, aggregate_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(a_run_that_is_stopped_is_gone_on_with),
        FLOW(a_run_that_is_killed_anywhere_is_gone_on_with),
        FLOW(an_emptied_redis_loses_no_event),
        FLOW(a_redis_emptied_in_the_middle_of_a_run_loses_no_event),
        FLOW(higher_versions_in_the_index_are_overcome),
        FLOW(a_document_that_is_refused_keeps_no_other_from_being_written),
        FLOW(an_index_that_is_blocked_keeps_no_other_from_being_written),
        FLOW(a_key_too_long_for_an_id_is_passed_over),
        FLOW(a_search_that_is_too_large_goes_through_in_smaller_pages),
        FLOW(a_search_that_takes_too_long_goes_through_in_smaller_pages),
        FLOW(a_write_that_fails_leaves_its_keys_marked),
        FLOW(a_record_hears_of_an_aggregate_that_went_without_an_answer),
        FLOW(hands_at_work_together_leave_marked_what_any_of_them_could_not_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
