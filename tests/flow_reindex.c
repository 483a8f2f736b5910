/* A longer interval for indices that are there: what becomes of them, and what a kill or giving up leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "support/past.h"
#include "support/search_index.h"

enum { EACH_MONTH = 800 };

static int setup(void **state)
{
    *state = scene_open(past_ini);
    past_load(*state, EACH_MONTH);
    return 0;
}

static int teardown(void **state)
{
    past_lose(*state);
    scene_close(*state);
    return 0;
}

static const char *const to_years[] = {"statistics", "reindex", "views", "--suffix", "%Y", NULL};

static void check_end(struct scene *s, const char *documents)
{
    char *after = past_dump(s, "events-views", false);

    assert_string_equal(after, documents);
    free(after);
    assert_true(past_is_index(s, "events-views-2026"));
    assert_true(past_is_alias(s, "events-views-2026-01"));
    assert_true(past_is_alias(s, "events-views-2026-09"));
    assert_true(past_is_alias(s, "events-views-2026-12"));
}

static void months_become_a_year_with_the_same_documents_behind_the_same_names(void **state)
{
    struct scene *s = *state;
    char *before = past_dump(s, "events-views", false), *of_month;

    assert_int_equal(
        past_crier(s, "events-views-2026-08 events-views-2026-09 events-views-2026-10",
                   (const char *const[]){"statistics", "reindex", "views", "--suffix", "%Y", "--dry-run", NULL}),
        0);
    assert_true(past_is_index(s, "events-views-2026-08"));
    assert_int_equal(past_crier(s, "events-views-2026", to_years), 0);
    check_end(s, before);
    assert_int_equal(past_crier(s, "", to_years), 0); /* nothing is left to do */
    check_end(s, before);
    past_add_view(s, "new", "2026-11-03T10:00:00Z", "r1", "v1", ""); /* by the old suffix */
    of_month = past_dump(s, "events-views-2026", false);
    assert_non_null(strstr(of_month, "new 1793700000000000 "));
    free(of_month);
    free(before);
}

static void aggregates_come_together_likewise(void **state)
{
    struct scene *s = *state;
    char *before, *after;

    assert_int_equal(past_crier(s, "views-agg", (const char *const[]){"aggregations", "run", "--all", NULL}), 0);
    before = past_dump(s, "stats-views", false);
    assert_int_equal(past_crier(s, "stats-views-2026",
                                (const char *const[]){"statistics", "reindex", "views-agg", "--suffix", "%Y", NULL}),
                     0);
    after = past_dump(s, "stats-views", false);
    assert_string_equal(before, after);
    assert_true(past_is_index(s, "stats-views-2026"));
    assert_int_equal(past_crier(s, "views-agg", (const char *const[]){"aggregations", "verify", NULL}), 0);
    free(before);
    free(after);
}

static void what_cannot_be_is_refused_and_changes_nothing(void **state)
{
    struct scene *s = *state;
    char *before = past_dump(s, "events-views", true), *after;

    assert_int_equal(past_crier(s, "not coarser",
                                (const char *const[]){"statistics", "reindex", "views", "--suffix", "%Y-%m-%d", NULL}),
                     1);
    assert_int_equal(past_crier(s, "no such suffix",
                                (const char *const[]){"statistics", "reindex", "views", "--suffix", "%H", NULL}),
                     1);
    past_add_view(s, "08-00001", "2026-09-03T10:00:00Z", "r1", "v1", ""); /* an id that August has, too */
    assert_int_equal(past_crier(s, "would become one", to_years), 1);
    after = past_dump(s, "events-views", true);
    assert_int_equal(strlen(after) > strlen(before), 1);
    past_add_view(s, "09-new", "2026-09-03T10:00:00Z", "r1", "v1", ""); /* nothing is closed for writing */
    free(before);
    free(after);
}

/* As if some seconds had passed. */
static void forget_lease(struct scene *s)
{
    scene_redis(s, "DEL crier:{lease:reindex:views}:holder");
}

static void killed_at_any_moment_it_goes_on_to_the_same_end(void **state)
{
    struct scene *s = *state;
    char *before = past_dump(s, "events-views", false), *between;
    int kills = 0;

    for (int64_t message = 1; past_crier_killed_at(s, message, to_years); message += message / 2 + 1) {
        forget_lease(s);
        between = past_dump(s, "events-views", false); /* whatever was done by then, readers see the same */
        assert_string_equal(between, before);
        free(between);
        kills++;
    }
    assert_true(kills >= 5);
    check_end(s, before);
    free(before);
}

static void given_up_nothing_is_left_of_it_and_the_old_indices_take_writes(void **state)
{
    struct scene *s = *state;
    char *before = past_dump(s, "events-views", true), *after, path[300];
    int64_t message = -1;

    for (; !past_is_index(s, "events-views-2026"); forget_lease(s))
        assert_true(past_crier_killed_at(s, message += 2, to_years));
    snprintf(path, sizeof path, "/%sevents-views-2026-09/_block/write", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "PUT", path, NULL)); /* as if it had died a little later */
    assert_int_equal(
        past_crier(s, "", (const char *const[]){"statistics", "reindex", "views", "--suffix", "%Y", "--cancel", NULL}),
        0);
    assert_false(past_is_index(s, "events-views-2026"));
    assert_false(past_is_blocked(s, "events-views-2026-09"));
    after = past_dump(s, "events-views", true);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

#define IN_THE_PAST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_THE_PAST(months_become_a_year_with_the_same_documents_behind_the_same_names),
        IN_THE_PAST(aggregates_come_together_likewise),
        IN_THE_PAST(what_cannot_be_is_refused_and_changes_nothing),
        IN_THE_PAST(killed_at_any_moment_it_goes_on_to_the_same_end),
        IN_THE_PAST(given_up_nothing_is_left_of_it_and_the_old_indices_take_writes),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
