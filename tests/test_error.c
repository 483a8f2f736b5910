/* An error's text: context before it, and whole letters whatever is cut off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/text.h"

/* "x" and then as many letters of two bytes as go beyond any text. */
static const char *long_name(size_t before)
{
    static char name[1000];

    memset(name, 'x', before);
    for (size_t i = before; i + 2 < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa4", 2);
    return name;
}

static void a_text_that_is_cut_off_ends_with_a_whole_letter(void **state)
{
    struct error err;

    (void)state;
    for (size_t before = 0; before < 4; before++) {
        assert_false(error_set(&err, ERROR_INPUT, "%s", long_name(before)));
        assert_int_equal(text_utf8_valid(err.text, strlen(err.text)), strlen(err.text));
        assert_in_range(strlen(err.text), sizeof err.text - 3, sizeof err.text - 1);
        assert_false(error_in(&err, "where"));
        assert_int_equal(text_utf8_valid(err.text, strlen(err.text)), strlen(err.text));
        assert_int_equal(strncmp(err.text, "where: ", 7), 0);
        assert_false(error_in(&err, "%s", long_name(before)));
        assert_int_equal(text_utf8_valid(err.text, strlen(err.text)), strlen(err.text));
    }
}

static void context_stands_before_what_went_wrong(void **state)
{
    struct error err;

    (void)state;
    error_set(&err, ERROR_AGAIN, "%s is away", "Redis");
    error_in(&err, "queue %s", "views");
    assert_string_equal(err.text, "queue views: Redis is away");
    assert_int_equal(err.kind, ERROR_AGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_that_is_cut_off_ends_with_a_whole_letter),
        cmocka_unit_test(context_stands_before_what_went_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
