/* Where hours, days, months and years begin and end, and which indices can hold them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "handlers/aggregate/aggregate_repair.h"

static int64_t at(const char *text)
{
    int64_t us;

    assert_true(time_parse(text, strlen(text), true, &us));
    return us;
}

static void an_interval_begins_and_ends_on_the_calendar(void **state)
{
    static const struct {
        enum aggregate_interval interval;
        const char *time, *start, *next, *id;
    } rows[] = {
        {INTERVAL_HOUR,  "2024-02-29T23:59:59.999999", "2024-02-29T23:00:00", "2024-03-01T00:00:00", "2024-02-29T23"},
        {INTERVAL_DAY,   "2024-02-29T23:59:59.999999", "2024-02-29T00:00:00", "2024-03-01T00:00:00", "2024-02-29"   },
        {INTERVAL_DAY,   "2023-12-31T00:00:00",        "2023-12-31T00:00:00", "2024-01-01T00:00:00", "2023-12-31"   },
        {INTERVAL_MONTH, "2024-02-29T12:00:00",        "2024-02-01T00:00:00", "2024-03-01T00:00:00", "2024-02"      },
        {INTERVAL_MONTH, "2023-12-31T23:00:00",        "2023-12-01T00:00:00", "2024-01-01T00:00:00", "2023-12"      },
        {INTERVAL_YEAR,  "2024-12-31T23:59:59",        "2024-01-01T00:00:00", "2025-01-01T00:00:00", "2024"         },
        {INTERVAL_YEAR,  "2023-01-01T00:00:00",        "2023-01-01T00:00:00", "2024-01-01T00:00:00", "2023"         },
    };
    char text[INTERVAL_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int64_t start = aggregate_interval_start(rows[i].interval, at(rows[i].time));

        assert_true(start == at(rows[i].start));
        assert_true(aggregate_interval_next(rows[i].interval, start) == at(rows[i].next));
        assert_string_equal(aggregate_id_date(rows[i].interval, start, text), rows[i].id);
        assert_string_equal(aggregate_start_text(start, text), rows[i].start);
    }
}

static void an_index_must_hold_whole_intervals(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    assert_true(aggregate_index_fits("stats-{time:%Y-%m}", INTERVAL_HOUR, &err));
    assert_true(aggregate_index_fits("stats-{time:%Y-%m}", INTERVAL_DAY, &err));
    assert_true(aggregate_index_fits("stats-{time:%Y-%m}", INTERVAL_MONTH, &err));
    assert_true(aggregate_index_fits("stats-{time:%Y}", INTERVAL_YEAR, &err));
    assert_true(aggregate_index_fits("stats", INTERVAL_YEAR, &err));
    assert_false(aggregate_index_fits("stats-{time:%Y-%m}", INTERVAL_YEAR, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "a year begins in stats-2023-01 and ends in stats-2023-12"));
    assert_false(aggregate_index_fits("stats-{time:%Y-%m-%d}", INTERVAL_MONTH, &err));
    assert_false(aggregate_index_fits("stats-{time:%G-%V}", INTERVAL_MONTH, &err));
    assert_false(aggregate_index_fits("stats-{subject.id}", INTERVAL_DAY, &err));
    assert_non_null(strstr(err.text, "only {time:...}"));
}

static void an_operators_time_stands_for_all_of_its_unit(void **state)
{
    static const char *const rows[][3] = {
        {"2024",                "2024-01-01T00:00:00", "2025-01-01T00:00:00"},
        {"2024-02",             "2024-02-01T00:00:00", "2024-03-01T00:00:00"},
        {"2024-02-29",          "2024-02-29T00:00:00", "2024-03-01T00:00:00"},
        {"2024-02-29T23",       "2024-02-29T23:00:00", "2024-03-01T00:00:00"},
        {"2024-02-29T23:10:00", "2024-02-29T23:10:00", "2024-02-29T23:10:00"},
    };
    static const char *const wrong[] = {"", "24", "2024-13", "2023-02-29", "yesterday", "2024-02-29T24", "2024-2"};
    struct time_range range;
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_true(time_range_parse(rows[i][0], &range, &err));
        assert_true(range.from_us == at(rows[i][1]));
        assert_true(range.to_us == at(rows[i][2]));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        if (time_range_parse(wrong[i], &range, &err))
            fail_msg("\"%s\" was taken for a time", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interval_begins_and_ends_on_the_calendar),
        cmocka_unit_test(an_index_must_hold_whole_intervals),
        cmocka_unit_test(an_operators_time_stands_for_all_of_its_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
