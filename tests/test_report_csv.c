/* A line of a report's table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "handlers/report/report_csv.h"

static void check(const char *const fields[], const char *wanted)
{
    struct buf line = BUF_INIT;
    struct csv c = {&line, 0};

    for (; *fields; fields++)
        csv_text(&c, *fields);
    csv_end(&c);
    assert_string_equal(line.data, wanted);
    buf_release(&line);
}

static void commas_quotes_and_line_ends_are_of_the_field(void **state)
{
    (void)state;
    check((const char *const[]){"a, b", "", "say \"x\"", "two\nlines", "plain", NULL},
          "\"a, b\",,\"say \"\"x\"\"\",\"two\nlines\",plain\r\n");
}

static void a_title_is_no_formula_to_a_spreadsheet(void **state)
{
    (void)state;
    check((const char *const[]){"=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(A1)", "\tx", "a=b", NULL},
          "\"'=HYPERLINK(\"\"http://x\"\")\",\"'+1\",\"'-1\",\"'@SUM(A1)\",\"'\tx\",a=b\r\n");
}

static void numbers_stay_numbers(void **state)
{
    struct buf line = BUF_INIT;
    struct csv c = {&line, 0};

    (void)state;
    csv_int(&c, -5);
    csv_int(&c, 0);
    csv_end(&c);
    assert_string_equal(line.data, "-5,0\r\n");
    buf_release(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_quotes_and_line_ends_are_of_the_field),
        cmocka_unit_test(a_title_is_no_formula_to_a_spreadsheet),
        cmocka_unit_test(numbers_stay_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
