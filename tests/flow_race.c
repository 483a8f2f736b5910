/* The random schedules of flow_race_model.c on a real OpenSearch. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "race/race.h"

enum { SCHEDULES = 200, SHOWN_MOST = 3 };

static int setup(void **state)
{
    *state = race_open(false);
    return 0;
}

static int teardown(void **state)
{
    race_close(*state);
    return 0;
}

static int64_t number_from(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoll(text, NULL, 10) : otherwise;
}

static void every_copy_equals_its_subject_when_events_stop(void **state)
{
    int64_t from = number_from("CRIER_SEED", 1), count = number_from("CRIER_SCHEDULES", SCHEDULES);
    struct race *r = *state;
    int bad = 0;

    for (int64_t seed = from; seed < from + count; seed++) {
        struct choice *c = choice_new((uint64_t)seed);
        struct race_plan plan = race_any(c);

        plan.changes = 3 + (int)choose(c, 3); /* requests take their time here */
        if (!race_run(r, c, &plan) && bad++ < SHOWN_MOST)
            fprintf(stderr, "CRIER_SEED=%" PRId64 " CRIER_SCHEDULES=1: %s\n%s\n", seed, race_why(r), race_trace(r));
        choice_free(c);
    }
    print_message("%" PRId64 " schedules, %ld requests of crier's\n", count, race_requests(r));
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_copy_equals_its_subject_when_events_stop, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
