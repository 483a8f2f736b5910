#include "handlers/repair/index_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

static struct index_names names(const char *template)
{
    struct index_names n;
    struct error err;

    if (!index_names_parse(template, &n, &err))
        fail_msg("%s", err.text);
    return n;
}

static int64_t at(const char *time)
{
    int64_t us;

    assert_true(time_parse(time, strlen(time), false, &us));
    return us;
}

static void a_name_tells_the_start_of_its_time_and_nothing_else_does(void **state)
{
    struct index_names n = names("views-{time:%Y-%m}-x");
    int64_t start_us;

    (void)state;
    assert_true(index_name_time(&n, "views-2024-02-x", &start_us));
    assert_true(start_us == at("2024-02-01T00:00:00Z"));
    assert_true(index_name_next(&n, start_us) == at("2024-03-01T00:00:00Z"));
    assert_false(index_name_time(&n, "views-2024-x", &start_us));
    assert_false(index_name_time(&n, "views-2024-02", &start_us));
    assert_false(index_name_time(&n, "views-2024-2-x", &start_us));
    assert_false(index_name_time(&n, "views-2024-13-x", &start_us));
    assert_false(index_name_time(&n, "views-2024-02-03-x", &start_us));
    assert_false(index_name_time(&n, "other-2024-02-x", &start_us));
    assert_false(index_name_time(&n, "x", &start_us));
}

static void only_a_suffix_that_is_coarser_can_take_the_old_names(void **state)
{
    static const struct {
        const char *from, *to;
        bool coarser;
    } rows[] = {
        {"%Y-%m",       "%Y",       true },
        {"%Y-%m-%d",    "%Y-%m",    true },
        {"%Y.%m.%d-%H", "%Y",       true },
        {"%Y-%m",       "%Y-%m",    false},
        {"%Y-%m",       "%Y.%m",    false},
        {"%Y",          "%Y-%m",    false},
        {"%Y-%m",       "%Y-%m-%d", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct index_names from = names("v-{time:%Y}"), to;
        struct error err;

        assert_true(index_names_change(&from, rows[i].from, &from, &err));
        assert_true(index_names_change(&from, rows[i].to, &to, &err));
        if (index_names_coarser(&from, &to, &err) != rows[i].coarser)
            fail_msg("%s to %s", rows[i].from, rows[i].to);
    }
}

static void what_cannot_be_an_index_or_be_read_back_is_no_suffix(void **state)
{
    static const char *const bad[] = {"",         "%m",  "%H",    "%Y-%d",
                                      "%Y-%H",    "%y",  "%Y-%W", "%Y/%m",
                                      "%Y-%m-%T", "Y%Y", "%Y %m", "%Y%Y-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct index_names n = names("v-{time:%Y}"), other;
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (index_names_change(&n, bad[i], &other, &err))
            fail_msg("%s", bad[i]);
    assert_false(index_names_parse("v-{type}-{time:%Y}", &n, &err));
    assert_false(index_names_parse("v-{time:%Y}-{type}", &n, &err));
    assert_false(index_names_parse("v", &n, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_tells_the_start_of_its_time_and_nothing_else_does),
        cmocka_unit_test(only_a_suffix_that_is_coarser_can_take_the_old_names),
        cmocka_unit_test(what_cannot_be_an_index_or_be_read_back_is_no_suffix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
