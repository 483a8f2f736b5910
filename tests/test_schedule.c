/* When something runs: the text of a schedule, cron's fields, and the summer time of zones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "scheduler/cron.h"
#include "scheduler/schedule.h"

static struct schedule *made(const char *text)
{
    struct error err = ERROR_INIT;
    struct schedule *s = schedule_new(text, &err);

    if (!s)
        fail_msg("%s: %s", text, err.text);
    return s;
}

static int64_t moment(const char *text)
{
    int64_t us;

    if (!time_parse(text, strlen(text), false, &us))
        fail_msg("%s is no time", text);
    return us;
}

/* What runs first after a moment. */
struct run {
    const char *schedule, *after, *next;
};

static void check_runs(const struct run *runs, size_t count)
{
    char found[TIME_TEXT_BYTES];

    for (size_t i = 0; i < count; i++) {
        struct schedule *s = made(runs[i].schedule);
        int64_t next_us = schedule_next_us(s, moment(runs[i].after));

        if (next_us != moment(runs[i].next))
            fail_msg("%s after %s: %s, not %s", runs[i].schedule, runs[i].after, time_text(next_us, found),
                     runs[i].next);
        schedule_free(s);
    }
}

static void each_kind_of_schedule_is_understood(void **state)
{
    struct schedule *every = made("every 10s"), *often = made("  every   250ms "), *once = made("at once");
    struct schedule *cron = made("cron 0 3 * * *");

    (void)state;
    assert_int_equal(schedule_kind(every), SCHEDULE_EVERY);
    assert_int_equal(schedule_interval_ms(every), 10000);
    assert_int_equal(schedule_interval_ms(often), 250);
    assert_int_equal(schedule_kind(once), SCHEDULE_AT_ONCE);
    assert_int_equal(schedule_kind(cron), SCHEDULE_CRON);
    assert_int_equal(schedule_interval_ms(cron), 0);
    assert_int_equal(schedule_next_us(every, 0), -1);
    schedule_free(every);
    schedule_free(often);
    schedule_free(once);
    schedule_free(cron);
    schedule_free(NULL);
}

static void what_is_wrong_with_a_schedule_is_said(void **state)
{
    static const struct {
        const char *text, *said;
    } wrong[] = {
        {"",                                   "is no schedule: write every 10s"            },
        {"hourly",                             "\"hourly\" is no schedule"                  },
        {"every",                              "must be a time from 10ms to 366d"           },
        {"every 10",                           "every: must be a time"                      },
        {"every 0s",                           "must be a time from 10ms"                   },
        {"every 400d",                         "to 366d"                                    },
        {"every 10s 5s",                       "nothing may follow, but \"5s\" does"        },
        {"at",                                 "write at once"                              },
        {"at 03:00",                           "cron 30 3 * * *"                            },
        {"at once more",                       "nothing may follow"                         },
        {"cron",                               "five fields"                                },
        {"cron 0 3 * *",                       "five fields (minute hour day-of-month month"},
        {"cron 60 * * * *",                    "minute \"60\": only 0 to 59 exist"          },
        {"cron * 24 * * *",                    "hour \"24\": only 0 to 23 exist"            },
        {"cron * * 0 * *",                     "day of month \"0\": only 1 to 31 exist"     },
        {"cron * * * 13 *",                    "month \"13\": only 1 to 12 exist"           },
        {"cron * * * * 8",                     "day of week \"8\": only 0 to 7 exist"       },
        {"cron -5 * * * *",                    "minute \"\""                                },
        {"cron 22-5 * * * *",                  "runs backwards"                             },
        {"cron */0 * * * *",                   "a step is a number from 1 to 59"            },
        {"cron 5/10 * * * *",                  "a step follows * or a range"                },
        {"cron */5/5 * * * *",                 "a step is a number"                         },
        {"cron 1,,2 * * * *",                  "minute \"\": write *, a number"             },
        {"cron 1, * * * *",                    "minute \"\""                                },
        {"cron 1- * * * *",                    "minute \"\""                                },
        {"cron **  * * * *",                   "minute \"**\""                              },
        {"cron mon * * * *",                   "minute \"mon\": write *, a number"          },
        {"cron * * * sept *",                  "no such name, nearest is sep"               },
        {"cron * * * * mittwoch",              "no such name (names are sun to sat)"        },
        {"cron 99999999999999999999 * * * *",  "minute"                                     },
        {"cron 0 3 * * * Europe/Atlantis",     "time zone Europe/Atlantis: not in"          },
        {"cron 0 3 * * * Europe",              "time zone Europe: not in"                   },
        {"cron 0 3 * * * ../../../etc/passwd", "names look like Europe/Berlin"              },
        {"cron 0 3 * * * /etc/localtime",      "names look like Europe/Berlin"              },
        {"cron 0 3 * * * Europe//Berlin",      "names look like Europe/Berlin"              },
        {"cron 0 3 * * * tzdata.zi",           "names look like Europe/Berlin"              },
        {"cron 0 3 * * * UTC UTC",             "nothing may follow"                         },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct error err = ERROR_INIT;

        if (schedule_check(wrong[i].text, &err))
            fail_msg("\"%s\" was taken", wrong[i].text);
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (!strstr(err.text, wrong[i].said))
            fail_msg("\"%s\": \"%s\" does not say \"%s\"", wrong[i].text, err.text, wrong[i].said);
    }
}

static void lists_ranges_steps_and_names_match(void **state)
{
    static const struct run runs[] = {
        {"cron * * * * *",          "2026-11-20T21:40:00Z",        "2026-11-20T21:41:00Z"},
        {"cron * * * * * UTC",      "2026-11-20T21:40:59.999999Z", "2026-11-20T21:41:00Z"},
        {"cron */15 * * * *",       "2026-11-20T21:45:00Z",        "2026-11-20T22:00:00Z"},
        {"cron 10-59/20 * * * *",   "2026-11-20T21:10:00Z",        "2026-11-20T21:30:00Z"},
        {"cron 10-59/20 * * * *",   "2026-11-20T21:50:00Z",        "2026-11-20T22:10:00Z"},
        {"cron 5,50,20-22 * * * *", "2026-11-20T21:20:00Z",        "2026-11-20T21:21:00Z"},
        {"cron 5,50,20-22 * * * *", "2026-11-20T21:22:00Z",        "2026-11-20T21:50:00Z"},
        {"cron 0 3 * * *",          "2026-11-20T03:00:00Z",        "2026-11-21T03:00:00Z"},
        {"cron 0 3 * * *",          "2026-11-20T02:59:59.999999Z", "2026-11-20T03:00:00Z"},
        {"cron 0 0 1 jan *",        "2026-11-20T00:00:00Z",        "2027-01-01T00:00:00Z"},
        {"cron 0 0 1 Feb-APR/2 *",  "2026-11-20T00:00:00Z",        "2027-02-01T00:00:00Z"},
        {"cron 0 0 1 Feb-APR/2 *",  "2027-02-01T00:00:00Z",        "2027-04-01T00:00:00Z"},
        {"cron 0 0 31 * *",         "2026-01-31T00:00:00Z",        "2026-03-31T00:00:00Z"},
        {"cron 0 12 * * mon-fri",   "2026-11-20T12:00:00Z",        "2026-11-23T12:00:00Z"},
        {"cron 0 12 * * SUN",       "2026-11-20T12:00:00Z",        "2026-11-22T12:00:00Z"},
        {"cron 0 12 * * 0",         "2026-11-20T12:00:00Z",        "2026-11-22T12:00:00Z"},
        {"cron 0 12 * * 7",         "2026-11-20T12:00:00Z",        "2026-11-22T12:00:00Z"},
        {"cron 0 12 * * sat-sun",   "2026-11-21T12:00:00Z",        "2026-11-22T12:00:00Z"},
        {"cron 0 12 * * 5-7",       "2026-11-21T12:00:00Z",        "2026-11-22T12:00:00Z"},
        {"cron 59 23 31 12 *",      "2026-11-20T00:00:00Z",        "2026-12-31T23:59:00Z"},
    };

    (void)state;
    check_runs(runs, ARRAY_LENGTH(runs));
}

static void of_day_and_weekday_either_is_enough_when_both_are_given(void **state)
{
    static const struct run runs[] = {
        {"cron 0 0 13 * fri",   "2026-11-10T00:00:00Z", "2026-11-13T00:00:00Z"},
        {"cron 0 0 13 * fri",   "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"},
        {"cron 0 0 13 * fri",   "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z"},
        {"cron 0 0 13 * *",     "2026-11-13T00:00:00Z", "2026-12-13T00:00:00Z"},
        {"cron 0 0 * * fri",    "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"},
        {"cron 0 0 13 dec fri", "2026-11-13T00:00:00Z", "2026-12-04T00:00:00Z"},
        {"cron 0 0 1-31 * fri", "2026-11-13T00:00:00Z", "2026-11-14T00:00:00Z"},
    };

    (void)state;
    check_runs(runs, ARRAY_LENGTH(runs));
}

static void a_leap_day_comes_every_four_or_eight_years(void **state)
{
    static const struct run runs[] = {
        {"cron 0 0 29 2 *",                 "2026-11-20T00:00:00Z", "2028-02-29T00:00:00Z"},
        {"cron 0 0 29 2 *",                 "2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"},
        {"cron 0 0 29 2 *",                 "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"},
        {"cron 30 12 29 2 * Europe/Berlin", "2096-02-29T11:30:00Z", "2104-02-29T11:30:00Z"},
        {"cron 0 0 28-31 2 *",              "2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z"},
        {"cron 0 0 28-31 2 *",              "2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"},
        {"cron 0 0 30 1,2 *",               "2027-01-30T00:00:00Z", "2028-01-30T00:00:00Z"},
    };

    (void)state;
    check_runs(runs, ARRAY_LENGTH(runs));
}

static void a_day_that_does_not_exist_never_comes(void **state)
{
    static const char *const never[] = {"cron 0 0 30 2 *", "cron 0 0 31 4,6,9,11 *",
                                        "cron 0 0 30-31 feb * Europe/Berlin"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(never); i++) {
        struct schedule *s = made(never[i]);

        assert_int_equal(schedule_next_us(s, moment("2026-11-20T00:00:00Z")), -1);
        schedule_free(s);
    }
}

static void a_skipped_time_runs_at_the_change_and_a_repeated_one_the_first_time(void **state)
{
    static const struct run runs[] = {
  /* Berlin, 29 March: 02:00 becomes 03:00 at 01:00 UTC */
        {"cron 59 1 * * * Europe/Berlin",         "2026-03-28T12:00:00Z",        "2026-03-29T00:59:00Z"},
        {"cron 30 2 * * * Europe/Berlin",         "2026-03-28T12:00:00Z",        "2026-03-29T01:00:00Z"},
        {"cron 30 2 * * * Europe/Berlin",         "2026-03-29T00:59:59.999999Z", "2026-03-29T01:00:00Z"},
        {"cron 30 2 * * * Europe/Berlin",         "2026-03-29T01:00:00Z",        "2026-03-30T00:30:00Z"},
        {"cron 0 3 * * * Europe/Berlin",          "2026-03-28T12:00:00Z",        "2026-03-29T01:00:00Z"},
        {"cron 0 2,3 * * * Europe/Berlin",        "2026-03-29T01:00:00Z",        "2026-03-30T00:00:00Z"},
        {"cron 15,45 2 * * * Europe/Berlin",      "2026-03-29T00:00:00Z",        "2026-03-29T01:00:00Z"},
        {"cron 15,45 2 * * * Europe/Berlin",      "2026-03-29T01:00:00Z",        "2026-03-30T00:15:00Z"},
        {"cron */15 * * * * Europe/Berlin",       "2026-03-29T00:45:00Z",        "2026-03-29T01:00:00Z"},
        {"cron */15 * * * * Europe/Berlin",       "2026-03-29T01:00:00Z",        "2026-03-29T01:15:00Z"},
 /* Berlin, 25 October: 03:00 becomes 02:00 at 01:00 UTC */
        {"cron 30 2 * * * Europe/Berlin",         "2026-10-24T12:00:00Z",        "2026-10-25T00:30:00Z"},
        {"cron 30 2 * * * Europe/Berlin",         "2026-10-25T00:30:00Z",        "2026-10-26T01:30:00Z"},
        {"cron 30 2 * * * Europe/Berlin",         "2026-10-25T01:10:00Z",        "2026-10-26T01:30:00Z"},
        {"cron 30 2 * * * Europe/Berlin",         "2026-10-25T01:30:00Z",        "2026-10-26T01:30:00Z"},
        {"cron 0 3 * * * Europe/Berlin",          "2026-10-25T00:30:00Z",        "2026-10-25T02:00:00Z"},
        {"cron 0 * * * * Europe/Berlin",          "2026-10-25T00:00:00Z",        "2026-10-25T02:00:00Z"},
        {"cron 0 0 * * * Europe/Berlin",          "2026-10-24T22:00:00Z",        "2026-10-25T23:00:00Z"},
 /* New York, 8 March: 02:00 becomes 03:00 at 07:00 UTC */
        {"cron 59 1 * * * America/New_York",      "2026-03-08T00:00:00Z",        "2026-03-08T06:59:00Z"},
        {"cron 0 2 * * * America/New_York",       "2026-03-08T00:00:00Z",        "2026-03-08T07:00:00Z"},
        {"cron 30 2 8 3 * America/New_York",      "2026-03-01T00:00:00Z",        "2026-03-08T07:00:00Z"},
        {"cron 30 2 8 3 * America/New_York",      "2026-03-08T07:00:00Z",        "2027-03-08T07:30:00Z"},
        {"cron 30 3 * * * America/New_York",      "2026-03-08T00:00:00Z",        "2026-03-08T07:30:00Z"},
 /* New York, 1 November: 02:00 becomes 01:00 at 06:00 UTC */
        {"cron 30 1 * * * America/New_York",      "2026-11-01T00:00:00Z",        "2026-11-01T05:30:00Z"},
        {"cron 30 1 * * * America/New_York",      "2026-11-01T05:30:00Z",        "2026-11-02T06:30:00Z"},
        {"cron 0 2 * * * America/New_York",       "2026-11-01T05:30:00Z",        "2026-11-01T07:00:00Z"},
        {"cron 0 0 * * * America/New_York",       "2026-11-01T04:00:00Z",        "2026-11-02T05:00:00Z"},
 /* Lord Howe, 4 October: 02:00 becomes 02:30 at 15:30 UTC of the day before */
        {"cron 59 1 * * * Australia/Lord_Howe",   "2026-10-03T00:00:00Z",        "2026-10-03T15:29:00Z"},
        {"cron 15 2 * * * Australia/Lord_Howe",   "2026-10-03T00:00:00Z",        "2026-10-03T15:30:00Z"},
        {"cron 15 2 * * * Australia/Lord_Howe",   "2026-10-03T15:30:00Z",        "2026-10-04T15:15:00Z"},
        {"cron 45 2 * * * Australia/Lord_Howe",   "2026-10-03T00:00:00Z",        "2026-10-03T15:45:00Z"},
 /* Lord Howe, 5 April: 02:00 becomes 01:30 at 15:00 UTC of the day before */
        {"cron 45 1 * * * Australia/Lord_Howe",   "2026-04-04T00:00:00Z",        "2026-04-04T14:45:00Z"},
        {"cron 45 1 * * * Australia/Lord_Howe",   "2026-04-04T14:45:00Z",        "2026-04-05T15:15:00Z"},
        {"cron 0 2 * * * Australia/Lord_Howe",    "2026-04-04T14:45:00Z",        "2026-04-04T15:30:00Z"},
        {"cron */10 * * * * Australia/Lord_Howe", "2026-04-04T14:50:00Z",        "2026-04-04T15:30:00Z"},
 /* years that only the rule at the end of the file knows; a whole day that was skipped; a moment before 1970 */
        {"cron 30 2 * * * Europe/Berlin",         "2093-03-28T12:00:00Z",        "2093-03-29T01:00:00Z"},
        {"cron 30 2 * * * Europe/Berlin",         "2093-10-24T12:00:00Z",        "2093-10-25T00:30:00Z"},
        {"cron 30 2 * * * Europe/Berlin",         "2093-10-25T00:30:00Z",        "2093-10-26T01:30:00Z"},
        {"cron 15 2 * * * Australia/Lord_Howe",   "2150-10-03T00:00:00Z",        "2150-10-03T15:30:00Z"},
        {"cron 0 12 30 12 * Pacific/Apia",        "2011-12-29T00:00:00Z",        "2011-12-30T10:00:00Z"},
        {"cron 1 19 * * * America/New_York",      "1970-01-01T00:00:30Z",        "1970-01-01T00:01:00Z"},
    };

    (void)state;
    check_runs(runs, ARRAY_LENGTH(runs));
}

static void the_next_run_is_always_later(void **state)
{
    static const char *const texts[] = {"cron * * * * *", "cron */7 1-3 * * * Europe/Berlin",
                                        "cron 30 2 * * sun Australia/Lord_Howe",
                                        "cron 59 23 28-31 * * America/New_York"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct schedule *s = made(texts[i]);
        int64_t at_us = moment("2026-01-01T00:00:00Z");

        for (int run = 0; run < 3000; run++) {
            int64_t next_us = schedule_next_us(s, at_us);

            assert_true(next_us > at_us);
            assert_int_equal(schedule_next_us(s, next_us - 1), next_us);
            at_us = next_us;
        }
        schedule_free(s);
    }
}

static void the_ends_of_time_are_answered(void **state)
{
    struct schedule *s = made("cron * * * * * Europe/Berlin");

    (void)state;
    assert_int_equal(schedule_next_us(s, INT64_MIN), 0);
    assert_int_equal(schedule_next_us(s, -1), 0);
    assert_int_equal(schedule_next_us(s, INT64_MAX), -1);
    assert_true(schedule_next_us(s, moment("9999-12-31T23:00:00Z")) > 0);
    schedule_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_schedule_is_understood),
        cmocka_unit_test(what_is_wrong_with_a_schedule_is_said),
        cmocka_unit_test(lists_ranges_steps_and_names_match),
        cmocka_unit_test(of_day_and_weekday_either_is_enough_when_both_are_given),
        cmocka_unit_test(a_leap_day_comes_every_four_or_eight_years),
        cmocka_unit_test(a_day_that_does_not_exist_never_comes),
        cmocka_unit_test(a_skipped_time_runs_at_the_change_and_a_repeated_one_the_first_time),
        cmocka_unit_test(the_next_run_is_always_later),
        cmocka_unit_test(the_ends_of_time_are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
