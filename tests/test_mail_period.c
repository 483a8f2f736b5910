/* When the day or the week of a digest ends, by the clocks of a place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "handlers/mail/mail_period.h"

enum { MONDAY = 1 };

static int64_t us_of(const char *time)
{
    int64_t us;

    assert_true(time_parse(time, strlen(time), false, &us));
    return us;
}

static void a_day_and_a_week_end_at_the_hour_that_the_clocks_of_the_place_show(void **state)
{
    static const struct {
        const char *at, *zone;
        enum mail_frequency frequency;
        const char *after, *end;
    } cases[] = {
        {"07:00", "UTC",                 MAIL_DAILY,  "2026-11-26T06:59:59Z", "2026-11-26T07:00:00Z"},
        {"07:00", "UTC",                 MAIL_DAILY,  "2026-11-26T07:00:00Z", "2026-11-27T07:00:00Z"},
        {"07:00", "UTC",                 MAIL_WEEKLY, "2026-11-26T12:00:00Z", "2026-11-30T07:00:00Z"},
        {"07:00", "UTC",                 MAIL_WEEKLY, "2026-11-30T06:00:00Z", "2026-11-30T07:00:00Z"},
        {"07:00", "UTC",                 MAIL_WEEKLY, "2026-11-30T07:00:00Z", "2026-12-07T07:00:00Z"},
        {"07:00", "Europe/Berlin",       MAIL_DAILY,  "2026-11-26T05:00:00Z", "2026-11-26T06:00:00Z"},
        {"07:00", "Europe/Berlin",       MAIL_DAILY,  "2026-10-24T05:00:00Z", "2026-10-25T06:00:00Z"},
        {"07:00", "Europe/Berlin",       MAIL_DAILY,  "2026-03-28T06:00:00Z", "2026-03-29T05:00:00Z"},
        {"02:30", "Europe/Berlin",       MAIL_DAILY,  "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"}, /* skipped */
        {"02:30", "Europe/Berlin",       MAIL_DAILY,  "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"}, /* twice */
        {"02:30", "Europe/Berlin",       MAIL_DAILY,  "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
        {"00:00", "Pacific/Kiritimati",  MAIL_DAILY,  "2026-11-26T09:59:00Z", "2026-11-26T10:00:00Z"},
        {"23:59", "America/Los_Angeles", MAIL_DAILY,  "2026-11-26T08:00:00Z", "2026-11-27T07:59:00Z"},
        {"00:00", "America/Los_Angeles", MAIL_WEEKLY, "2026-11-30T07:59:59Z", "2026-11-30T08:00:00Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err;
        struct mail_period *p = mail_period_new(cases[i].at, MONDAY, cases[i].zone, &err);
        char end[TIME_TEXT_BYTES];

        if (!p)
            fail_msg("%s", err.text);
        assert_string_equal(time_text(mail_period_end_us(p, cases[i].frequency, us_of(cases[i].after)), end),
                            cases[i].end);
        mail_period_free(p);
    }
}

static void what_is_no_time_of_day_or_no_zone_is_refused(void **state)
{
    static const char *const wrong[] = {"", "7:00", "07:00:00", "24:00", "07:60", "ab:cd", "07-00", "+7:00", "-1:00"};
    struct error err;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(mail_period_at_check(wrong[i], &err));
    assert_true(mail_period_at_check("23:59", &err));
    assert_false(mail_period_zone_check("Europe/Nowhere", &err));
    assert_false(mail_period_zone_check("../etc/passwd", &err));
    assert_null(mail_period_new("07:00", MONDAY, "Europe/Nowhere", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_and_a_week_end_at_the_hour_that_the_clocks_of_the_place_show),
        cmocka_unit_test(what_is_no_time_of_day_or_no_zone_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
