/* Times as text: read and written as RFC 3339 says, and the calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"

enum { REFUSED = -1 };

static void times_are_read_as_rfc_3339_says(void **state)
{
    static const struct {
        const char *text;
        int64_t us; /* from GNU date */
    } table[] = {
        {"1970-01-01T00:00:00Z",             0                          },
        {"2026-11-20T21:40:00Z",             INT64_C(1795210800000000)  },
        {"2026-11-20t21:40:00z",             INT64_C(1795210800000000)  },
        {"2026-11-20 21:40:00Z",             INT64_C(1795210800000000)  },
        {"2026-11-20T23:10:00+01:30",        INT64_C(1795210800000000)  },
        {"2026-11-20T13:40:00-08:00",        INT64_C(1795210800000000)  },
        {"2026-11-20T21:40:00.5Z",           INT64_C(1795210800500000)  },
        {"2026-11-20T21:40:00.123456789Z",   INT64_C(1795210800123456)  },
        {"2026-11-20T21:40:00.000001+00:00", INT64_C(1795210800000001)  },
        {"2024-02-29T23:59:59Z",             INT64_C(1709251199000000)  },
        {"2000-02-29T00:00:00Z",             INT64_C(951782400000000)   },
        {"2016-12-31T23:59:60Z",             INT64_C(1483228800000000)  },
        {"9999-12-31T23:59:59Z",             INT64_C(253402300799000000)},
        {"2023-02-29T00:00:00Z",             REFUSED                    },
        {"2100-02-29T00:00:00Z",             REFUSED                    },
        {"2026-00-20T21:40:00Z",             REFUSED                    },
        {"2026-13-20T21:40:00Z",             REFUSED                    },
        {"2026-11-31T21:40:00Z",             REFUSED                    },
        {"2026-11-20T24:00:00Z",             REFUSED                    },
        {"2026-11-20T21:60:00Z",             REFUSED                    },
        {"2026-11-20T21:40:61Z",             REFUSED                    },
        {"2026-11-20T21:40Z",                REFUSED                    },
        {"2026-11-20",                       REFUSED                    },
        {"2026-11-20T21:40:00",              REFUSED                    },
        {"2026-11-20T21:40:00.Z",            REFUSED                    },
        {"2026-11-20T21:40:00.1234567890Z",  REFUSED                    },
        {"2026-11-20T21:40:00+0130",         REFUSED                    },
        {"2026-11-20T21:40:00+24:00",        REFUSED                    },
        {"2026-11-20T21:40:00Z ",            REFUSED                    },
        {" 2026-11-20T21:40:00Z",            REFUSED                    },
        {"1969-12-31T23:59:59Z",             REFUSED                    },
        {"1970-01-01T00:00:00+00:01",        REFUSED                    },
        {"9999-12-31T23:59:60Z",             REFUSED                    },
        {"9999-12-31T23:59:59-01:00",        REFUSED                    },
        {"",                                 REFUSED                    },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        int64_t us = REFUSED;

        if (!time_parse(table[i].text, strlen(table[i].text), false, &us))
            us = REFUSED;
        if (us != table[i].us)
            fail_msg("%s: %lld", table[i].text, (long long)us);
    }
}

static void a_time_without_offset_is_utc_where_that_is_allowed(void **state)
{
    int64_t us;

    (void)state;
    assert_true(time_parse("2026-11-20T21:40:00.25", 22, true, &us));
    assert_int_equal(us, INT64_C(1795210800250000));
    assert_true(time_parse("2026-11-20T21:40:00.25xyz", 22, true, &us)); /* no more than the length is read */
}

static void a_time_is_written_as_it_is_read(void **state)
{
    char text[TIME_TEXT_BYTES];
    int64_t step = INT64_C(97) * 3600 * US_PER_SECOND + 61000001, back;

    (void)state;
    assert_string_equal(time_text(INT64_C(1795210800000000), text), "2026-11-20T21:40:00Z");
    assert_string_equal(time_text(INT64_C(1795210800000001), text), "2026-11-20T21:40:00.000001Z");
    for (int64_t us = 0; us < INT64_C(4102444800000000); us += step) {
        time_text(us, text);
        assert_true(time_parse(text, strlen(text), false, &back));
        assert_int_equal(back, us);
    }
}

static void the_calendar_agrees_with_the_systems(void **state)
{
    (void)state;
    for (int64_t us = 0; us < INT64_C(4102444800000000); us += INT64_C(31) * 3600 * US_PER_SECOND + 7000000) {
        char ours[40], systems[40];
        struct calendar c;

        time_calendar(us, &c);
        snprintf(ours, sizeof ours, "%04d-%02d-%02d %02d:%02d:%02d %d", c.year, c.month, c.day, c.hour, c.minute,
                 c.second, c.weekday);
        assert_true(time_format(us, "%Y-%m-%d %H:%M:%S %w", systems, sizeof systems) > 0);
        assert_string_equal(ours, systems);
        assert_int_equal(time_from_calendar(&c), us);
    }
}

static void a_long_time_always_has_microseconds_and_offset(void **state)
{
    char text[TIME_TEXT_BYTES];

    (void)state;
    assert_string_equal(time_text_long(INT64_C(1795210800123456), text), "2026-11-20T21:40:00.123456+00:00");
    assert_string_equal(time_text_long(INT64_C(1795210800000000), text), "2026-11-20T21:40:00.000000+00:00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_as_rfc_3339_says),
        cmocka_unit_test(a_time_without_offset_is_utc_where_that_is_allowed),
        cmocka_unit_test(a_time_is_written_as_it_is_read),
        cmocka_unit_test(the_calendar_agrees_with_the_systems),
        cmocka_unit_test(a_long_time_always_has_microseconds_and_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
