/* A schedule in use: intervals, slots, missed runs, and jitter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "scheduler/timer.h"
#include "support/machine.h"

/* ----------------------------------------------------------------------------------------------------- intervals */

static void an_interval_runs_at_the_start_and_then_on_its_grid(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:00:00Z"), 1000};
    struct schedule *s = machine_schedule("every 5s");
    struct timer t;

    (void)state;
    machine_start(&t, s, CATCH_UP_NONE, 0, &m);
    assert_int_equal(machine_wait_ms(&t, &m), 0);
    machine_pass(&m, 1200); /* the run itself */
    machine_ran(&t, &m);
    assert_int_equal(machine_wait_ms(&t, &m), 3800);
    machine_pass(&m, 3800);
    assert_int_equal(machine_wait_ms(&t, &m), 0);
    machine_ran(&t, &m);
    assert_int_equal(machine_wait_ms(&t, &m), 5000);
    schedule_free(s);
}

static void an_interval_does_not_feel_the_wall_clock(void **state)
{
    static const int64_t jumps_us[] = {DAY_US, -DAY_US, HOUR_US, -HOUR_US, 20000 * DAY_US};
    struct schedule *s = machine_schedule("every 10s");

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(jumps_us); i++) {
        struct machine m = {machine_moment("2026-11-20T12:00:00Z"), 1000};
        struct timer t;

        machine_start(&t, s, CATCH_UP_NONE, 0, &m);
        machine_ran(&t, &m);
        machine_pass(&m, 4000);
        m.wall_us += jumps_us[i];
        assert_int_equal(machine_wait_ms(&t, &m), 6000);
        machine_pass(&m, 6000);
        assert_int_equal(machine_wait_ms(&t, &m), 0);
        m.wall_us -= jumps_us[i];
        machine_ran(&t, &m);
        assert_int_equal(machine_wait_ms(&t, &m), 10000);
    }
    schedule_free(s);
}

static void a_run_longer_than_its_interval_is_not_overlapped(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = machine_schedule("every 5s");
    struct timer none, one;

    (void)state;
    machine_start(&none, s, CATCH_UP_NONE, 0, &m);
    machine_start(&one, s, CATCH_UP_ONE, 0, &m);
    machine_pass(&m, 17000); /* due at 5, 10 and 15 s too */
    machine_ran(&none, &m);
    machine_ran(&one, &m);
    assert_int_equal(machine_wait_ms(&none, &m), 3000);
    assert_int_equal(machine_wait_ms(&one, &m), 0); /* the three as one */
    machine_ran(&one, &m);
    assert_int_equal(machine_wait_ms(&one, &m), 3000);
    schedule_free(s);
}

static void a_run_out_of_turn_moves_no_interval(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = machine_schedule("every 5s");
    struct timer t;

    (void)state;
    machine_start(&t, s, CATCH_UP_NONE, 0, &m);
    machine_ran(&t, &m);
    machine_pass(&m, 2000);
    machine_ran(&t, &m);
    assert_int_equal(machine_wait_ms(&t, &m), 3000);
    schedule_free(s);
}

static void at_once_never_waits(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = machine_schedule("at once");
    struct timer t;

    (void)state;
    timer_start(&t, s, CATCH_UP_NONE, 60000, 0, m.wall_us, m.monotonic_ms);
    assert_int_equal(machine_wait_ms(&t, &m), 0);
    machine_ran(&t, &m);
    assert_int_equal(machine_wait_ms(&t, &m), 0);
    schedule_free(s);
}

/* --------------------------------------------------------------------------------------------------------- slots */

static void a_slot_is_waited_for_and_runs_once(void **state)
{
    struct machine m = {machine_moment("2026-11-20T02:59:58.999500Z"), 0};
    struct schedule *s = machine_schedule("cron 0 3 * * *");
    struct timer t;

    (void)state;
    machine_start(&t, s, CATCH_UP_NONE, 0, &m);
    assert_int_equal(machine_wait_ms(&t, &m), 1001); /* rounded up: never before the slot */
    machine_pass(&m, 1001);
    assert_int_equal(machine_wait_ms(&t, &m), 0);
    machine_ran(&t, &m);
    assert_int_equal(t.last_us, machine_moment("2026-11-20T03:00:00Z"));
    assert_int_equal(t.slot_us, machine_moment("2026-11-21T03:00:00Z"));
    schedule_free(s);
}

static void slots_missed_while_down_run_as_the_policy_says(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:30:00Z"), 0};
    struct schedule *s = machine_schedule("cron 0 * * * *");
    int64_t last_us = machine_moment("2026-11-18T09:00:00Z"); /* 51 slots ago */
    struct timer none, one;

    (void)state;
    machine_start(&none, s, CATCH_UP_NONE, last_us, &m);
    assert_int_equal(machine_wait_ms(&none, &m), HOUR_MS / 2);
    assert_int_equal(none.last_us, machine_moment("2026-11-20T12:00:00Z"));

    machine_start(&one, s, CATCH_UP_ONE, last_us, &m);
    assert_int_equal(machine_wait_ms(&one, &m), 0);
    machine_ran(&one, &m);
    assert_int_equal(one.last_us, machine_moment("2026-11-20T12:00:00Z"));
    assert_int_equal(machine_wait_ms(&one, &m), HOUR_MS / 2);

    machine_start(&one, s, CATCH_UP_ONE, one.last_us, &m); /* a restart right after it catches up no second time */
    assert_int_equal(machine_wait_ms(&one, &m), HOUR_MS / 2);
    schedule_free(s);
}

static void nothing_is_missed_by_who_never_ran_or_was_down_between_slots(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:30:00Z"), 0};
    struct schedule *s = machine_schedule("cron 0 3 * * *");
    struct timer t;

    (void)state;
    machine_start(&t, s, CATCH_UP_ONE, 0, &m);
    assert_int_equal(t.slot_us, machine_moment("2026-11-21T03:00:00Z"));
    machine_start(&t, s, CATCH_UP_ONE, machine_moment("2026-11-20T03:00:00Z"), &m);
    assert_int_equal(t.slot_us, machine_moment("2026-11-21T03:00:00Z"));
    schedule_free(s);
}

static void minutes_missed_in_years_are_found_at_once(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:30:30Z"), 0};
    struct schedule *s = machine_schedule("cron * * * * * Europe/Berlin");
    int64_t before_ms = clock_monotonic_ms();
    struct timer t;

    (void)state;
    machine_start(&t, s, CATCH_UP_ONE, machine_moment("1996-11-20T12:30:00Z"), &m);
    assert_int_equal(t.slot_us, machine_moment("2026-11-20T12:30:00Z"));
    assert_true(clock_monotonic_ms() - before_ms < 10000);
    schedule_free(s);
}

static void slots_missed_by_a_long_run_follow_the_policy_too(void **state)
{
    struct machine m = {machine_moment("2026-11-20T11:59:59Z"), 0};
    struct schedule *s = machine_schedule("cron 0 * * * *");
    struct timer none, one;

    (void)state;
    machine_start(&none, s, CATCH_UP_NONE, 0, &m);
    machine_start(&one, s, CATCH_UP_ONE, 0, &m);
    machine_pass(&m, 1000 + 5 * HOUR_MS / 2); /* from 12:00 to 14:30 */
    machine_ran(&none, &m);
    machine_ran(&one, &m);
    assert_int_equal(machine_wait_ms(&none, &m), HOUR_MS / 2);
    assert_int_equal(machine_wait_ms(&one, &m), 0);
    machine_ran(&one, &m);
    assert_int_equal(machine_wait_ms(&one, &m), HOUR_MS / 2);
    schedule_free(s);
}

static void a_day_that_never_comes_is_waited_for_forever(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = machine_schedule("cron 0 0 30 2 *");
    struct timer t;

    (void)state;
    machine_start(&t, s, CATCH_UP_ONE, machine_moment("2020-01-01T00:00:00Z"), &m);
    assert_int_equal(machine_wait_ms(&t, &m), INT64_MAX);
    machine_ran(&t, &m);
    assert_int_equal(machine_wait_ms(&t, &m), INT64_MAX);
    schedule_free(s);
}

static void a_note_from_a_clock_far_ahead_is_not_believed(void **state)
{
    struct machine m = {machine_moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = machine_schedule("cron 0 3 * * *");
    struct timer t;

    (void)state;
    machine_start(&t, s, CATCH_UP_ONE, machine_moment("2038-01-19T03:00:00Z"), &m);
    assert_int_equal(t.slot_us, machine_moment("2026-11-21T03:00:00Z"));
    machine_start(&t, s, CATCH_UP_ONE, machine_moment("2026-11-21T03:00:00Z"),
                  &m); /* less than a day: it ran already */
    assert_int_equal(t.slot_us, machine_moment("2026-11-22T03:00:00Z"));
    schedule_free(s);
}

/* -------------------------------------------------------------------------------------------------------- jitter */

static void jitter_stays_in_its_bounds_and_uses_them(void **state)
{
    static const char *const texts[] = {"every 10s", "cron * * * * *"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct machine m = {machine_moment("2026-11-20T12:00:00Z"), 0};
        struct schedule *s = machine_schedule(texts[i]);
        int64_t least_ms = INT64_MAX, most_ms = -1;
        struct timer t;

        timer_start(&t, s, CATCH_UP_NONE, 3000, 0, m.wall_us, m.monotonic_ms);
        for (int run = 0; run < 2000; run++) {
            int64_t wait_ms = machine_wait_ms(&t, &m), since_ms;

            machine_pass(&m, wait_ms);
            assert_int_equal(machine_wait_ms(&t, &m), 0);
            since_ms = i == 0 ? m.monotonic_ms - t.due_ms : (m.wall_us - t.slot_us) / 1000;
            assert_in_range(since_ms, 0, 3000);
            least_ms = since_ms < least_ms ? since_ms : least_ms;
            most_ms = since_ms > most_ms ? since_ms : most_ms;
            machine_ran(&t, &m);
        }
        assert_true(least_ms < 100 && most_ms > 2900);
        schedule_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interval_runs_at_the_start_and_then_on_its_grid),
        cmocka_unit_test(an_interval_does_not_feel_the_wall_clock),
        cmocka_unit_test(a_run_longer_than_its_interval_is_not_overlapped),
        cmocka_unit_test(a_run_out_of_turn_moves_no_interval),
        cmocka_unit_test(at_once_never_waits),
        cmocka_unit_test(a_slot_is_waited_for_and_runs_once),
        cmocka_unit_test(slots_missed_while_down_run_as_the_policy_says),
        cmocka_unit_test(nothing_is_missed_by_who_never_ran_or_was_down_between_slots),
        cmocka_unit_test(minutes_missed_in_years_are_found_at_once),
        cmocka_unit_test(slots_missed_by_a_long_run_follow_the_policy_too),
        cmocka_unit_test(a_day_that_never_comes_is_waited_for_forever),
        cmocka_unit_test(a_note_from_a_clock_far_ahead_is_not_believed),
        cmocka_unit_test(jitter_stays_in_its_bounds_and_uses_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
