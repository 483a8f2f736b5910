#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "notifier/pattern.h"

static const struct {
    const char *list, *type;
    bool matches;
} table[] = {
    {"record-view",                    "record-view",      true },
    {"record-view",                    "record-views",     false},
    {"record-view file-download",      "file-download",    true },
    {" \n record-view\tfile-download", "file-download",    true },
    {"user.*",                         "user.updated",     true },
    {"user.*",                         "user",             false},
    {"user.*",                         "user.a.b",         false},
    {"user.*",                         "users.updated",    false},
    {"*.deleted",                      "record.deleted",   true },
    {"*.deleted",                      "a.record.deleted", false},
    {"*",                              "record",           true },
    {"*",                              "record.a",         false},
    {"**",                             "record",           true },
    {"**",                             "a.b.c.d.e.f.g.h",  true },
    {"a.**",                           "a",                true },
    {"a.**",                           "a.b.c",            true },
    {"a.**",                           "ab",               false},
    {"**.z",                           "z",                true },
    {"**.z",                           "a.b.z",            true },
    {"**.z",                           "a.z.b",            false},
    {"a.**.z",                         "a.z",              true },
    {"a.**.z",                         "a.b.c.z",          true },
    {"a.**.z",                         "a.b.c",            false},
    {"a.**.m.**.z",                    "a.x.m.y.m.z",      true },
    {"a.**.m.*.z",                     "a.m.m.m.z",        true },
    {"a.**.m.*.z",                     "a.m.z",            false},
    {"**.b.**.b",                      "b.b",              true },
    {"**.b.**.b",                      "b",                false},
    {"**.*",                           "a",                true },
    {"*.**.*",                         "a",                false},
    {"*.**.*",                         "a.b",              true },
    {"",                               "a",                false},
};

static void a_type_matches_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++)
        if (patterns_match(table[i].list, span_of(table[i].type)) != table[i].matches)
            fail_msg("\"%s\" and %s: should be %d", table[i].list, table[i].type, table[i].matches);
}

static void good_lists_pass_the_check(void **state)
{
    static const char *const lists[] = {"a", "a.b.*", "**", "a.** *.b", "Record_1-x", "a.b.c.d.e.f.g.h"};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        assert_true(patterns_check(lists[i], &err));
}

static void bad_patterns_are_named(void **state)
{
    static const char *const lists[] = {"a.*b", "a..b", ".a", "a.", "a ***", "ä", "a,b", "a.b.c.d.e.f.g.h.i", "x a/b"};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
        if (patterns_check(lists[i], &err))
            fail_msg("\"%s\" passed", lists[i]);
        assert_int_equal(err.kind, ERROR_CONFIG);
    }
    assert_false(patterns_check("x a/b", &err));
    assert_non_null(strstr(err.text, "\"a/b\""));
    assert_false(patterns_check("  ", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_matches_as_the_table_says),
        cmocka_unit_test(good_lists_pass_the_check),
        cmocka_unit_test(bad_patterns_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
