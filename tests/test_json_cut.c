#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_cut.h"

/* The elements of a text, with a '|' behind each, and how it ended: "." all of it, "+" more follows, "!" wrong. */
static const char *cut(const char *text, char open)
{
    static char out[300];
    enum json_cut_step step;
    struct json_cut c;
    struct span one;
    size_t length = 0;

    if (!json_cut_start(&c, span_of(text), open))
        return "none";
    while ((step = json_cut_next(&c, &one)) == JSON_CUT_ONE) {
        memcpy(out + length, one.text, one.length);
        length += one.length;
        out[length++] = '|';
    }
    out[length++] = step == JSON_CUT_WRONG ? '!' : json_cut_is_all(&c) ? '.' : '+';
    out[length] = '\0';
    return out;
}

static void an_array_is_cut_at_its_own_commas(void **state)
{
    (void)state;
    assert_string_equal(cut("[]", '['), ".");
    assert_string_equal(cut(" [ ] ", '['), ".");
    assert_string_equal(cut("[1,[2,3],{\"a\":[4,5]}]", '['), "1|[2,3]|{\"a\":[4,5]}|.");
    assert_string_equal(cut("[\"a,b]\", \"c\\\"],\"]", '['), "\"a,b]\"|\"c\\\"],\"|.");
    assert_string_equal(cut("[1] 2", '['), "1|+");
    assert_string_equal(cut("{}", '['), "none");
    assert_string_equal(cut("", '['), "none");
}

static void what_is_cut_short_or_misplaced_is_told(void **state)
{
    (void)state;
    assert_string_equal(cut("[", '['), "!");
    assert_string_equal(cut("[1", '['), "!");
    assert_string_equal(cut("[1,", '['), "1|!");
    assert_string_equal(cut("[1, ]", '['), "1|!");
    assert_string_equal(cut("[,1]", '['), "!");
    assert_string_equal(cut("[1}", '['), "!");
    assert_string_equal(cut("[\"a", '['), "!");
    assert_string_equal(cut("[\"a\\", '['), "!");
}

static void a_member_is_known_by_its_name(void **state)
{
    struct span value;

    (void)state;
    assert_string_equal(cut("{\"a\":1, \"b\" : {\"c\":2}}", '{'), "\"a\":1|\"b\" : {\"c\":2}|.");
    assert_true(json_cut_value(span_of("\"b\" : {\"c\":2}"), "b", &value));
    assert_true(span_is(value, "{\"c\":2}"));
    assert_false(json_cut_value(span_of("\"bc\":1"), "b", &value));
    assert_false(json_cut_value(span_of("\"b\" 1"), "b", &value));
    assert_false(json_cut_value(span_of("b"), "b", &value));
    assert_false(json_cut_value(span_of("\"b\""), "b", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_is_cut_at_its_own_commas),
        cmocka_unit_test(what_is_cut_short_or_misplaced_is_told),
        cmocka_unit_test(a_member_is_known_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
