/* Stepping through JSON text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_scan.h"

static void assert_span(struct span s, const char *text)
{
    assert_int_equal(s.length, strlen(text));
    assert_memory_equal(s.text, text, s.length);
}

static void members_are_met_in_their_order_however_the_text_is_laid_out(void **state)
{
    static const char text[] =
        " {\"a\" : 1,\n\t\"b\":\"x,}\\\"y\" , \"c\" :[ {\"d\":\"]\"} , 2 ] ,\"e\":{\"f\":{}},\"g\":null } ";
    static const char *const wanted[][2] = {
        {"a", "1"                    },
        {"b", "\"x,}\\\"y\""         },
        {"c", "[ {\"d\":\"]\"} , 2 ]"},
        {"e", "{\"f\":{}}"           },
        {"g", "null"                 },
    };
    struct json_scan s;

    (void)state;
    assert_true(json_scan_object(&s, span_of(text)));
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_true(json_scan_next(&s));
        assert_span(s.key, wanted[i][0]);
        assert_span(s.value, wanted[i][1]);
    }
    assert_false(json_scan_next(&s));
    assert_false(s.broken);
}

static void items_of_an_array_have_no_key(void **state)
{
    struct json_scan s;

    (void)state;
    assert_true(json_scan_array(&s, span_of("[true , [] ,\"\"]")));
    assert_true(json_scan_next(&s));
    assert_span(s.value, "true");
    assert_true(json_scan_next(&s));
    assert_span(s.value, "[]");
    assert_true(json_scan_next(&s));
    assert_span(s.value, "\"\"");
    assert_false(json_scan_next(&s));
    assert_false(s.broken);
    assert_true(json_scan_array(&s, span_of("[]")));
    assert_false(json_scan_next(&s));
    assert_false(s.broken);
}

/* Each beginning of a text, and each rubbish. */
static void a_text_that_ends_in_the_middle_is_broken(void **state)
{
    static const char text[] = "{\"a\":{\"b\":[1,\"\\\\\"]},\"c\":\"d\"}";
    static const char *const rubbish[] = {"", "1", "[1]", "{a:1}", "{\"a\"1}", "{\"a\":}", "{\"a\":1 \"b\":2}", "{,}"};
    struct json_scan s;

    (void)state;
    for (size_t length = 0; length < strlen(text); length++) {
        if (json_scan_object(&s, (struct span){text, length}))
            while (json_scan_next(&s))
                continue;
        assert_true(s.broken);
    }
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
        if (json_scan_object(&s, span_of(rubbish[i])))
            while (json_scan_next(&s))
                continue;
        assert_true(s.broken);
    }
}

static void a_member_is_found_by_its_name_where_it_comes_once(void **state)
{
    struct span value;
    int64_t number;

    (void)state;
    assert_true(json_scan_member(span_of("{\"x\":{\"n\":1},\"n\":-12}"), "n", &value));
    assert_true(json_scan_int(value, &number));
    assert_int_equal(number, -12);
    assert_false(json_scan_member(span_of("{\"n\":1,\"n\":2}"), "n", &value));
    assert_false(json_scan_member(span_of("{\"x\":1}"), "n", &value));
    assert_false(json_scan_member(span_of("{\"n\":1"), "n", &value));
    assert_false(json_scan_int(span_of("1.5"), &number));
    assert_false(json_scan_int(span_of("\"1\""), &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_met_in_their_order_however_the_text_is_laid_out),
        cmocka_unit_test(items_of_an_array_have_no_key),
        cmocka_unit_test(a_text_that_ends_in_the_middle_is_broken),
        cmocka_unit_test(a_member_is_found_by_its_name_where_it_comes_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
