/* A schedule in use on a machine whose wall clock jumps about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scheduler/timer.h"
#include "support/machine.h"

/* The slots of an hourly schedule, by the hours since some moment. */
enum { HOURS = 24 * 14 };

struct ledger {
    int64_t from_us;
    int runs[HOURS];
};

/* Lives through so many hours in steps of a minute and notes what runs. */
static void live(struct timer *t, struct machine *m, struct ledger *l, int hours)
{
    for (int minute = 0; minute < 60 * hours; minute++) {
        if (machine_wait_ms(t, m) == 0) {
            l->runs[(t->slot_us - l->from_us) / HOUR_US]++;
            machine_pass(m, 10);
            machine_ran(t, m);
        }
        machine_pass(m, 60000);
    }
}

static int most_runs(const struct ledger *l)
{
    int most = 0;

    for (int i = 0; i < HOURS; i++)
        most = l->runs[i] > most ? l->runs[i] : most;
    return most;
}

static int all_runs(const struct ledger *l, int first, int end)
{
    int sum = 0;

    for (int i = first; i < end; i++)
        sum += l->runs[i];
    return sum;
}

static void a_slot_runs_at_most_once_however_the_wall_clock_jumps(void **state)
{
    static const int64_t jumps_us[] = {HOUR_US, -HOUR_US, DAY_US, -DAY_US, HOUR_US / 2, -HOUR_US / 2};
    struct schedule *s = machine_schedule("cron 0 * * * *");

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(jumps_us); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(jumps_us); j++)
            for (int policy = CATCH_UP_NONE; policy <= CATCH_UP_ONE; policy++) {
                struct machine m = {machine_moment("2026-11-20T12:30:00Z"), 0};
                struct ledger l = {.from_us = machine_moment("2026-11-17T00:00:00Z")};
                struct timer t;

                machine_start(&t, s, (enum catch_up)policy, 0, &m);
                live(&t, &m, &l, 10);
                m.wall_us += jumps_us[i];
                live(&t, &m, &l, 10);
                m.wall_us += jumps_us[j];
                live(&t, &m, &l, 100);
                assert_int_equal(most_runs(&l), 1);
            }
    schedule_free(s);
}

static void a_jump_forward_runs_what_it_passed_once_and_goes_on(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:30:00Z"), 0};
    struct ledger l = {.from_us = machine_moment("2026-11-20T00:00:00Z")};
    struct schedule *s = machine_schedule("cron 0 * * * *");
    struct timer t;

    (void)state;
    machine_start(&t, s, CATCH_UP_NONE, 0, &m);
    live(&t, &m, &l, 2); /* 13:00, 14:00 */
    m.wall_us += DAY_US;
    live(&t, &m, &l, 2);
    assert_int_equal(all_runs(&l, 13, 15), 2);
    assert_int_equal(all_runs(&l, 15, 39), 1);
    assert_int_equal(all_runs(&l, 39, 41), 2);
    schedule_free(s);
}

static void a_jump_back_runs_nothing_again_and_then_goes_on(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:30:00Z"), 0};
    struct ledger l = {.from_us = machine_moment("2026-11-19T00:00:00Z")};
    struct schedule *s = machine_schedule("cron 0 * * * *");
    struct timer t;

    (void)state;
    machine_start(&t, s, CATCH_UP_ONE, 0, &m);
    live(&t, &m, &l, 2);
    m.wall_us -= DAY_US;
    live(&t, &m, &l, 24);
    assert_int_equal(all_runs(&l, 0, HOURS), 2);
    live(&t, &m, &l, 3);
    assert_int_equal(all_runs(&l, 0, HOURS), 5);
    assert_int_equal(most_runs(&l), 1);
    schedule_free(s);
}

static void a_slot_runs_once_where_the_clock_is_set_back_during_its_run(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = machine_schedule("cron 0 13 * * *");
    struct timer t;

    (void)state;
    machine_start(&t, s, CATCH_UP_ONE, 0, &m);
    machine_pass(&m, HOUR_MS);
    assert_int_equal(machine_wait_ms(&t, &m), 0);
    m.wall_us -= HOUR_US;
    machine_ran(&t, &m);
    machine_pass(&m, HOUR_MS);
    assert_int_equal(machine_wait_ms(&t, &m), 24 * HOUR_MS);
    schedule_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_runs_at_most_once_however_the_wall_clock_jumps),
        cmocka_unit_test(a_jump_forward_runs_what_it_passed_once_and_goes_on),
        cmocka_unit_test(a_jump_back_runs_nothing_again_and_then_goes_on),
        cmocka_unit_test(a_slot_runs_once_where_the_clock_is_set_back_during_its_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
