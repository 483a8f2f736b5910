/* crier aggregations: list, run, verify, delete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "support/aggregate_stage.h"
#include "support/search_index.h"
#include "support/server.h"

static json_t *crier(struct scene *s, int code, const char *const arguments[])
{
    const char *whole[12] = {"aggregations"};
    size_t count = 1;
    char *out = NULL;
    json_t *answer;
    int got;

    while (*arguments)
        whole[count++] = *arguments++;
    whole[count++] = "--config";
    whole[count++] = s->config_path;
    whole[count++] = "--json";
    got = crier_run(&out, whole);
    answer = json_loads(out, 0, NULL);
    if (got != code || !answer)
        fail_msg("ended with %d: %s", got, out);
    free(out);
    return answer;
}

static int64_t number(const json_t *answer, const char *name)
{
    const json_t *value = json_object_get(json_array_get(answer, 0), name);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void damage(struct scene *s)
{
    const char *p = s->settings->opensearch.prefix;

    index_bulk(s->settings,
               arena_printf(s->arena,
                            "{\"delete\":{\"_index\":\"%sstats-day-2026-10\",\"_id\":\"ui_k0001-2026-10-05\"}}\n"
                            "{\"update\":{\"_index\":\"%sstats-day-2026-10\",\"_id\":\"ui_k0002-2026-10-05\"}}\n"
                            "{\"doc\":{\"count\":99}}\n"
                            "{\"index\":{\"_index\":\"%sstats-day-2026-10\",\"_id\":\"ui_x-2026-10-06\"}}\n"
                            "{\"timestamp\":\"2026-10-06T00:00:00\",\"unique_id\":\"ui_x\",\"count\":1}\n"
                            "{\"index\":{\"_index\":\"%sstats-day-2001-10\",\"_id\":\"ui_k0001-2001-10-06\"}}\n"
                            "{\"timestamp\":\"2001-10-06T00:00:00\",\"unique_id\":\"ui_k0001\",\"count\":1}\n",
                            p, p, p, p));
}

static void verify_finds_what_differs_and_run_repairs_it(void **state)
{
    struct scene *s = *state;
    json_t *answer;

    many_views_happen(s, "2026-10-05", 5);
    run_aggregation(s, "day");
    answer = crier(s, 0, (const char *const[]){"verify", "day", NULL});
    assert_int_equal(number(answer, "compared"), 5);
    json_decref(answer);
    damage(s);
    answer = crier(s, 1, (const char *const[]){"verify", "day", "--from", "2026", NULL});
    assert_int_equal(number(answer, "missing"), 1);
    assert_int_equal(number(answer, "different"), 1);
    assert_int_equal(number(answer, "surplus"), 1);
    assert_int_equal(json_array_size(json_object_get(json_array_get(answer, 0), "examples")), 3);
    json_decref(answer);
    json_decref(crier(s, 0, (const char *const[]){"run", "day", "--from", "2026-10-05", "--to", "2026-10-06", NULL}));
    json_decref(crier(s, 0, (const char *const[]){"verify", "day", "--from", "2026", NULL}));
    assert_int_equal(index_count(s->settings, "stats-day"), 6); /* what is older than all events stays */
}

static void delete_deletes_the_aggregates_of_a_range_and_nothing_else(void **state)
{
    struct scene *s = *state;
    json_t *answer;

    many_views_happen(s, "2026-10-05", 3);
    many_views_happen(s, "2026-10-06", 4);
    run_aggregation(s, "day");
    run_aggregation(s, "small");
    answer = crier(s, 0, (const char *const[]){"delete", "day", "--to", "2026-10-05", NULL});
    assert_int_equal(number(answer, "deleted"), 3);
    json_decref(answer);
    assert_int_equal(index_count(s->settings, "stats-day"), 7);
    json_decref(crier(s, 0, (const char *const[]){"delete", "day", "--to", "2026-10-05", "--yes", NULL}));
    assert_int_equal(index_count(s->settings, "stats-day"), 4);
    assert_int_equal(index_count(s->settings, "stats-small"), 7);
    assert_int_equal(index_count(s->settings, EVENTS), 7);
    json_decref(crier(s, 0, (const char *const[]){"run", "day", "--all", NULL}));
    assert_int_equal(index_count(s->settings, "stats-day"), 7);
}

static void list_says_how_far_each_has_come(void **state)
{
    struct scene *s = *state;
    json_t *answer;

    many_views_happen(s, "2026-10-05", 3);
    answer = crier(s, 0, (const char *const[]){"list", "day", NULL});
    assert_int_equal(number(answer, "dirty"), 3);
    assert_true(json_is_string(json_object_get(json_array_get(answer, 0), "oldest_mark")));
    assert_true(json_is_null(json_object_get(json_array_get(answer, 0), "last_run")));
    json_decref(answer);
    run_aggregation(s, "day");
    index_count(s->settings, "stats-day");
    answer = crier(s, 0, (const char *const[]){"list", "day", NULL});
    assert_int_equal(number(answer, "dirty"), 0);
    assert_string_equal(json_string_value(json_object_get(json_array_get(answer, 0), "newest_aggregate")),
                        "2026-10-05T00:00:00Z");
    assert_true(json_is_string(json_object_get(json_array_get(answer, 0), "last_run")));
    json_decref(answer);
    answer = crier(s, 0, (const char *const[]){"list", "--bookmarks", NULL});
    assert_int_equal(json_array_size(answer), 1);
    json_decref(answer);
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, aggregate_stage_open, aggregate_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(verify_finds_what_differs_and_run_repairs_it),
        FLOW(delete_deletes_the_aggregates_of_a_range_and_nothing_else),
        FLOW(list_says_how_far_each_has_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
