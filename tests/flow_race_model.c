/* Random schedules over changes, slow writers, refreshes and kills, on a model of OpenSearch: no copy stays stale. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "race/race.h"

/* Under the sanitizer, which is there for other mistakes, a part of them. */
#if defined(__SANITIZE_ADDRESS__)
enum { SCHEDULES = 2000, KILLS = 1 };
#else
enum { SCHEDULES = 10000, KILLS = 2 };
#endif

enum { SHOWN_MOST = 3, LIES = 2000 };

static int64_t number_from(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoll(text, NULL, 10) : otherwise;
}

static int setup(void **state)
{
    *state = race_open(true);
    return 0;
}

static int teardown(void **state)
{
    race_close(*state);
    return 0;
}

/* What the plan holds beside its rows and changes is as special says; NULL: nothing. */
static bool run_seed(struct race *r, int64_t seed, const struct race_plan *special)
{
    struct choice *c = choice_new((uint64_t)seed);
    struct race_plan plan = special && special->strict ? race_strict(c) : race_any(c);
    bool ok;

    plan.no_second_look = special && special->no_second_look;
    plan.forgets = special && special->forgets;
    plan.same_version_deletes = special && special->same_version_deletes;
    if (plan.same_version_deletes)
        plan.kills = 0; /* what is left between a write and its taking back cannot be told from the platform's */
    ok = race_run(r, c, &plan);
    choice_free(c);
    return ok;
}

/* Whether one of the first seeds ends badly. */
static bool is_found(struct race *r, const struct race_plan *special)
{
    int64_t seed = 1;

    while (seed <= LIES && run_seed(r, seed, special))
        seed++;
    return seed <= LIES;
}

/* The seeds of the environment, or so many from 1 on. */
static void all_end_well(struct race *r, int64_t otherwise, const struct race_plan *special)
{
    int64_t from = number_from("CRIER_SEED", 1), count = number_from("CRIER_SCHEDULES", otherwise);
    int bad = 0;

    for (int64_t seed = from; seed < from + count; seed++)
        if (!run_seed(r, seed, special) && bad++ < SHOWN_MOST)
            fprintf(stderr, "CRIER_SEED=%" PRId64 " CRIER_SCHEDULES=1: %s\n%s\n", seed, race_why(r), race_trace(r));
    print_message("%" PRId64 " schedules, %ld requests of crier's\n", count, race_requests(r));
    assert_int_equal(bad, 0);
}

static void every_copy_equals_its_subject_when_events_stop(void **state)
{
    all_end_well(*state, SCHEDULES, NULL);
}

static void without_stale_writes_of_others_no_second_look_is_needed(void **state)
{
    all_end_well(*state, SCHEDULES / 4, &(struct race_plan){.strict = true});
}

static void what_is_deleted_at_the_version_it_had_stays_deleted(void **state)
{
    all_end_well(*state, SCHEDULES / 4, &(struct race_plan){.strict = true, .same_version_deletes = true});
}

/* Their number. */
static long every_order_ends_well(struct race *r, const struct race_plan *plan)
{
    struct choice *c = choice_all();
    long count = 0, bad = 0;

    do {
        if (!race_run(r, c, plan) && bad++ == 0)
            fprintf(stderr, "%s\n%s\n", race_why(r), race_trace(r));
        count++;
    } while (choice_next(c));
    choice_free(c);
    print_message("%ld orders\n", count);
    assert_int_equal(bad, 0);
    return count;
}

static void a_stale_dump_is_mended_whenever_it_lands(void **state)
{
    const struct race_plan plan = {.scenario = SCENARIO_SMALL, .subjects = 1, .dependents = 1, .changes = 1};

    assert_true(every_order_ends_well(*state, &plan) > 500);
}

static void a_worker_and_a_second_look_do_not_undo_each_other_for_good(void **state)
{
    const struct race_plan plan = {
        .scenario = SCENARIO_DUEL, .handlers = 1, .subjects = 2, .dependents = 1, .pairs = true, .switches = 2};

    assert_true(every_order_ends_well(*state, &plan) > 500);
}

static void a_kill_at_any_step_loses_no_change(void **state)
{
    const struct race_plan plan = {.scenario = SCENARIO_KILLS, .subjects = 1, .dependents = 2, .kills = KILLS};

    assert_true(every_order_ends_well(*state, &plan) > 200);
}

/* ------------------------------------------------------------------------- what is wrong is found: tests of the test
 */

static void without_the_second_look_copies_stay_stale(void **state)
{
    assert_true(is_found(*state, &(struct race_plan){.no_second_look = true}));
}

static void without_what_redis_keeps_copies_stay_stale(void **state)
{
    assert_true(is_found(*state, &(struct race_plan){.forgets = true}));
}

static void where_a_refresh_is_not_done_copies_stay_stale(void **state)
{
    model_lie(race_model(*state), LIE_REFRESH);
    assert_true(is_found(*state, NULL));
}

static void where_versions_count_for_nothing_documents_go_wrong(void **state)
{
    model_lie(race_model(*state), LIE_CONFLICT);
    assert_true(is_found(*state, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_copy_equals_its_subject_when_events_stop),
        TEST(without_stale_writes_of_others_no_second_look_is_needed),
        TEST(what_is_deleted_at_the_version_it_had_stays_deleted),
        TEST(a_stale_dump_is_mended_whenever_it_lands),
        TEST(a_worker_and_a_second_look_do_not_undo_each_other_for_good),
        TEST(a_kill_at_any_step_loses_no_change),
        TEST(without_the_second_look_copies_stay_stale),
        TEST(without_what_redis_keeps_copies_stay_stale),
        TEST(where_a_refresh_is_not_done_copies_stay_stale),
        TEST(where_versions_count_for_nothing_documents_go_wrong),
    };

    cmocka_set_test_filter(getenv("CRIER_TESTS"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
