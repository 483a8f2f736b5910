/* A schedule in use: intervals, slots, missed runs, jitter, and a wall clock that jumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "scheduler/timer.h"

#define HOUR_US (3600 * US_PER_SECOND)
#define DAY_US  (24 * HOUR_US)

enum { HOUR_MS = 3600 * 1000 };

/* A machine with both clocks; only the wall clock jumps. */
struct machine {
    int64_t wall_us, monotonic_ms;
};

static int64_t moment(const char *text)
{
    int64_t us = 0;

    assert_true(time_parse(text, strlen(text), false, &us));
    return us;
}

static void pass(struct machine *m, int64_t ms)
{
    m->wall_us += ms * 1000;
    m->monotonic_ms += ms;
}

static struct schedule *made(const char *text)
{
    struct error err;
    struct schedule *s = schedule_new(text, &err);

    assert_non_null(s);
    return s;
}

static int64_t wait_of(const struct timer *t, const struct machine *m)
{
    return timer_wait_ms(t, m->wall_us, m->monotonic_ms);
}

static void started(struct timer *t, const struct schedule *s, enum catch_up catch_up, int64_t last_us,
                    const struct machine *m)
{
    timer_start(t, s, catch_up, 0, last_us, m->wall_us, m->monotonic_ms);
}

static void ran(struct timer *t, const struct machine *m)
{
    timer_ran(t, m->wall_us, m->monotonic_ms);
}

/* ----------------------------------------------------------------------------------------------------- intervals */

static void an_interval_runs_at_the_start_and_then_on_its_grid(void **state)
{
    struct machine m = {moment("2026-11-20T12:00:00Z"), 1000};
    struct schedule *s = made("every 5s");
    struct timer t;

    (void)state;
    started(&t, s, CATCH_UP_NONE, 0, &m);
    assert_int_equal(wait_of(&t, &m), 0);
    pass(&m, 1200); /* the run itself */
    ran(&t, &m);
    assert_int_equal(wait_of(&t, &m), 3800);
    pass(&m, 3800);
    assert_int_equal(wait_of(&t, &m), 0);
    ran(&t, &m);
    assert_int_equal(wait_of(&t, &m), 5000);
    schedule_free(s);
}

static void an_interval_does_not_feel_the_wall_clock(void **state)
{
    static const int64_t jumps_us[] = {DAY_US, -DAY_US, HOUR_US, -HOUR_US, 20000 * DAY_US};
    struct schedule *s = made("every 10s");

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(jumps_us); i++) {
        struct machine m = {moment("2026-11-20T12:00:00Z"), 1000};
        struct timer t;

        started(&t, s, CATCH_UP_NONE, 0, &m);
        ran(&t, &m);
        pass(&m, 4000);
        m.wall_us += jumps_us[i];
        assert_int_equal(wait_of(&t, &m), 6000);
        pass(&m, 6000);
        assert_int_equal(wait_of(&t, &m), 0);
        m.wall_us -= jumps_us[i];
        ran(&t, &m);
        assert_int_equal(wait_of(&t, &m), 10000);
    }
    schedule_free(s);
}

static void a_run_longer_than_its_interval_is_not_overlapped(void **state)
{
    struct machine m = {moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = made("every 5s");
    struct timer none, one;

    (void)state;
    started(&none, s, CATCH_UP_NONE, 0, &m);
    started(&one, s, CATCH_UP_ONE, 0, &m);
    pass(&m, 17000); /* due at 5, 10 and 15 s too */
    ran(&none, &m);
    ran(&one, &m);
    assert_int_equal(wait_of(&none, &m), 3000);
    assert_int_equal(wait_of(&one, &m), 0); /* the three as one */
    ran(&one, &m);
    assert_int_equal(wait_of(&one, &m), 3000);
    schedule_free(s);
}

static void a_run_out_of_turn_moves_no_interval(void **state)
{
    struct machine m = {moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = made("every 5s");
    struct timer t;

    (void)state;
    started(&t, s, CATCH_UP_NONE, 0, &m);
    ran(&t, &m);
    pass(&m, 2000);
    ran(&t, &m);
    assert_int_equal(wait_of(&t, &m), 3000);
    schedule_free(s);
}

static void at_once_never_waits(void **state)
{
    struct machine m = {moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = made("at once");
    struct timer t;

    (void)state;
    timer_start(&t, s, CATCH_UP_NONE, 60000, 0, m.wall_us, m.monotonic_ms);
    assert_int_equal(wait_of(&t, &m), 0);
    ran(&t, &m);
    assert_int_equal(wait_of(&t, &m), 0);
    schedule_free(s);
}

/* --------------------------------------------------------------------------------------------------------- slots */

static void a_slot_is_waited_for_and_runs_once(void **state)
{
    struct machine m = {moment("2026-11-20T02:59:58.999500Z"), 0};
    struct schedule *s = made("cron 0 3 * * *");
    struct timer t;

    (void)state;
    started(&t, s, CATCH_UP_NONE, 0, &m);
    assert_int_equal(wait_of(&t, &m), 1001); /* rounded up: never before the slot */
    pass(&m, 1001);
    assert_int_equal(wait_of(&t, &m), 0);
    ran(&t, &m);
    assert_int_equal(t.last_us, moment("2026-11-20T03:00:00Z"));
    assert_int_equal(t.slot_us, moment("2026-11-21T03:00:00Z"));
    schedule_free(s);
}

static void slots_missed_while_down_run_as_the_policy_says(void **state)
{
    struct machine m = {moment("2026-11-20T12:30:00Z"), 0};
    struct schedule *s = made("cron 0 * * * *");
    int64_t last_us = moment("2026-11-18T09:00:00Z"); /* 51 slots ago */
    struct timer none, one;

    (void)state;
    started(&none, s, CATCH_UP_NONE, last_us, &m);
    assert_int_equal(wait_of(&none, &m), HOUR_MS / 2);
    assert_int_equal(none.last_us, moment("2026-11-20T12:00:00Z"));

    started(&one, s, CATCH_UP_ONE, last_us, &m);
    assert_int_equal(wait_of(&one, &m), 0);
    ran(&one, &m);
    assert_int_equal(one.last_us, moment("2026-11-20T12:00:00Z"));
    assert_int_equal(wait_of(&one, &m), HOUR_MS / 2);

    started(&one, s, CATCH_UP_ONE, one.last_us, &m); /* a restart right after it catches up no second time */
    assert_int_equal(wait_of(&one, &m), HOUR_MS / 2);
    schedule_free(s);
}

static void nothing_is_missed_by_who_never_ran_or_was_down_between_slots(void **state)
{
    struct machine m = {moment("2026-11-20T12:30:00Z"), 0};
    struct schedule *s = made("cron 0 3 * * *");
    struct timer t;

    (void)state;
    started(&t, s, CATCH_UP_ONE, 0, &m);
    assert_int_equal(t.slot_us, moment("2026-11-21T03:00:00Z"));
    started(&t, s, CATCH_UP_ONE, moment("2026-11-20T03:00:00Z"), &m);
    assert_int_equal(t.slot_us, moment("2026-11-21T03:00:00Z"));
    schedule_free(s);
}

static void minutes_missed_in_years_are_found_at_once(void **state)
{
    struct machine m = {moment("2026-11-20T12:30:30Z"), 0};
    struct schedule *s = made("cron * * * * * Europe/Berlin");
    int64_t before_ms = clock_monotonic_ms();
    struct timer t;

    (void)state;
    started(&t, s, CATCH_UP_ONE, moment("1996-11-20T12:30:00Z"), &m);
    assert_int_equal(t.slot_us, moment("2026-11-20T12:30:00Z"));
    assert_true(clock_monotonic_ms() - before_ms < 10000);
    schedule_free(s);
}

static void slots_missed_by_a_long_run_follow_the_policy_too(void **state)
{
    struct machine m = {moment("2026-11-20T11:59:59Z"), 0};
    struct schedule *s = made("cron 0 * * * *");
    struct timer none, one;

    (void)state;
    started(&none, s, CATCH_UP_NONE, 0, &m);
    started(&one, s, CATCH_UP_ONE, 0, &m);
    pass(&m, 1000 + 5 * HOUR_MS / 2); /* from 12:00 to 14:30 */
    ran(&none, &m);
    ran(&one, &m);
    assert_int_equal(wait_of(&none, &m), HOUR_MS / 2);
    assert_int_equal(wait_of(&one, &m), 0);
    ran(&one, &m);
    assert_int_equal(wait_of(&one, &m), HOUR_MS / 2);
    schedule_free(s);
}

static void a_day_that_never_comes_is_waited_for_forever(void **state)
{
    struct machine m = {moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = made("cron 0 0 30 2 *");
    struct timer t;

    (void)state;
    started(&t, s, CATCH_UP_ONE, moment("2020-01-01T00:00:00Z"), &m);
    assert_int_equal(wait_of(&t, &m), INT64_MAX);
    ran(&t, &m);
    assert_int_equal(wait_of(&t, &m), INT64_MAX);
    schedule_free(s);
}

static void a_note_from_a_clock_far_ahead_is_not_believed(void **state)
{
    struct machine m = {moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = made("cron 0 3 * * *");
    struct timer t;

    (void)state;
    started(&t, s, CATCH_UP_ONE, moment("2038-01-19T03:00:00Z"), &m);
    assert_int_equal(t.slot_us, moment("2026-11-21T03:00:00Z"));
    started(&t, s, CATCH_UP_ONE, moment("2026-11-21T03:00:00Z"), &m); /* less than a day: it ran already */
    assert_int_equal(t.slot_us, moment("2026-11-22T03:00:00Z"));
    schedule_free(s);
}

/* ------------------------------------------------------------------------------------- the wall clock jumps about */

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
        if (wait_of(t, m) == 0) {
            l->runs[(t->slot_us - l->from_us) / HOUR_US]++;
            pass(m, 10);
            ran(t, m);
        }
        pass(m, 60000);
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
    struct schedule *s = made("cron 0 * * * *");

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(jumps_us); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(jumps_us); j++)
            for (int policy = CATCH_UP_NONE; policy <= CATCH_UP_ONE; policy++) {
                struct machine m = {moment("2026-11-20T12:30:00Z"), 0};
                struct ledger l = {.from_us = moment("2026-11-17T00:00:00Z")};
                struct timer t;

                started(&t, s, (enum catch_up)policy, 0, &m);
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
    struct machine m = {moment("2026-11-20T12:30:00Z"), 0};
    struct ledger l = {.from_us = moment("2026-11-20T00:00:00Z")};
    struct schedule *s = made("cron 0 * * * *");
    struct timer t;

    (void)state;
    started(&t, s, CATCH_UP_NONE, 0, &m);
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
    struct machine m = {moment("2026-11-20T12:30:00Z"), 0};
    struct ledger l = {.from_us = moment("2026-11-19T00:00:00Z")};
    struct schedule *s = made("cron 0 * * * *");
    struct timer t;

    (void)state;
    started(&t, s, CATCH_UP_ONE, 0, &m);
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
    struct machine m = {moment("2026-11-20T12:00:00Z"), 0};
    struct schedule *s = made("cron 0 13 * * *");
    struct timer t;

    (void)state;
    started(&t, s, CATCH_UP_ONE, 0, &m);
    pass(&m, HOUR_MS);
    assert_int_equal(wait_of(&t, &m), 0);
    m.wall_us -= HOUR_US;
    ran(&t, &m);
    pass(&m, HOUR_MS);
    assert_int_equal(wait_of(&t, &m), 24 * HOUR_MS);
    schedule_free(s);
}

/* -------------------------------------------------------------------------------------------------------- jitter */

static void jitter_stays_in_its_bounds_and_uses_them(void **state)
{
    static const char *const texts[] = {"every 10s", "cron * * * * *"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct machine m = {moment("2026-11-20T12:00:00Z"), 0};
        struct schedule *s = made(texts[i]);
        int64_t least_ms = INT64_MAX, most_ms = -1;
        struct timer t;

        timer_start(&t, s, CATCH_UP_NONE, 3000, 0, m.wall_us, m.monotonic_ms);
        for (int run = 0; run < 2000; run++) {
            int64_t wait_ms = wait_of(&t, &m), since_ms;

            pass(&m, wait_ms);
            assert_int_equal(wait_of(&t, &m), 0);
            since_ms = i == 0 ? m.monotonic_ms - t.due_ms : (m.wall_us - t.slot_us) / 1000;
            assert_in_range(since_ms, 0, 3000);
            least_ms = since_ms < least_ms ? since_ms : least_ms;
            most_ms = since_ms > most_ms ? since_ms : most_ms;
            ran(&t, &m);
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
        cmocka_unit_test(a_slot_runs_at_most_once_however_the_wall_clock_jumps),
        cmocka_unit_test(a_jump_forward_runs_what_it_passed_once_and_goes_on),
        cmocka_unit_test(a_jump_back_runs_nothing_again_and_then_goes_on),
        cmocka_unit_test(a_slot_runs_once_where_the_clock_is_set_back_during_its_run),
        cmocka_unit_test(jitter_stays_in_its_bounds_and_uses_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
