/* Conditions on events: which hold, which do not, which are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "handlers/webhook/condition.h"

static const char data[] =
    "{\"resource_type\":\"software\",\"community\":\"astronomy\",\"size\":42,\"ratio\":0.5,\"big\":9007199254740993,"
    "\"open\":true,\"closed\":false,\"nothing\":null,\"empty\":\"\",\"text\":\"42\",\"quoted\":\"say \\\"hi\\\" "
    "\\u00e9\","
    "\"tags\":[\"a\",\"b\",\"c\"],\"none\":[],\"numbers\":[1,5,9],\"date\":\"2026-11-20\","
    "\"communities\":[{\"id\":\"astronomy\",\"n\":1},{\"id\":\"physics\",\"n\":2,\"more\":[\"x\",\"y\"]}],"
    "\"deep\":{\"er\":{\"est\":\"x\"}},\"dotted.name\":\"d\",\"object\":{\"k\":1},\"nested\":[[1,2],[3]],\"neg\":-3}";

static struct event event_of_test(void)
{
    struct event e = event_none;

    e.id = span_of("e-1");
    e.source = span_of("https://repository.example.org");
    e.type = span_of("record.published");
    e.time = span_of("2026-11-20T10:00:00Z");
    e.subject = span_of("records/abc-1");
    e.actor = span_of("users/7");
    e.data = span_of(data);
    e.revision = 12;
    return e;
}

static const struct {
    const char *text;
    bool holds;
} table[] = {
    {"",                                                             true },
    {"  ",                                                           true },
    {"data.resource_type = software",                                true },
    {"data.resource_type=software",                                  true },
    {"data.resource_type = dataset",                                 false},
    {"data.resource_type = soft",                                    false},
    {"data.resource_type = Software",                                false},
    {"data.resource_type = \"software\"",                            true },
    {"data.resource_type != software",                               false},
    {"data.resource_type != dataset",                                true },
    {"data.resource_type = software and data.community = astronomy", true },
    {"data.resource_type = software and data.community = physics",   false},
    {"data.resource_type = dataset and data.community = astronomy",  false},
    {"data.resource_type = dataset or data.community = astronomy",   true },
    {"data.resource_type = dataset or data.community = physics",     false},
    {"not data.resource_type = software",                            false},
    {"not data.resource_type = dataset",                             true },
    {"not not data.resource_type = software",                        true },
    {"data.resource_type in (dataset, software)",                    true },
    {"data.resource_type in (dataset)",                              false},
    {"data.resource_type in (\"software\",\"x\")",                   true },
    {"not data.resource_type in (dataset, image)",                   true },
    {"data.missing = x",                                             false},
    {"data.missing != x",                                            true },
    {"not data.missing = x",                                         true },
    {"data.missing in (x, y)",                                       false},
    {"data.missing < 5",                                             false},
    {"data.missing > 5",                                             false},
    {"exists data.missing",                                          false},
    {"data.missing exists",                                          false},
    {"exists data.size",                                             true },
    {"data.size exists",                                             true },
    {"not exists data.missing",                                      true },
    {"exists data.nothing",                                          false},
    {"data.nothing = null",                                          true },
    {"exists data.empty",                                            true },
    {"data.empty = \"\"",                                            true },
    {"exists data.none",                                             false},
    {"exists data.tags",                                             true },
    {"exists data.object",                                           true },
    {"data.object = x",                                              false},
    {"data.size = 42",                                               true },
    {"data.size = 42.0",                                             true },
    {"data.size = 4.2e1",                                            true },
    {"data.size = \"42\"",                                           true },
    {"data.size = \"42.0\"",                                         false},
    {"data.text = 42",                                               true },
    {"data.text = 42.0",                                             false},
    {"data.size > 5",                                                true },
    {"data.size > 41.9",                                             true },
    {"data.size > 42",                                               false},
    {"data.size >= 42",                                              true },
    {"data.size < 100",                                              true },
    {"data.size < 42",                                               false},
    {"data.size <= 42",                                              true },
    {"data.size < 5",                                                false},
    {"data.neg < 0",                                                 true },
    {"data.neg = -3",                                                true },
    {"data.ratio < 1",                                               true },
    {"data.ratio = .5",                                              false},
    {"data.ratio = 0.50",                                            true },
    {"data.open = true",                                             true },
    {"data.open = false",                                            false},
    {"data.closed = false",                                          true },
    {"data.open != true",                                            false},
    {"data.date > 2026-11-19",                                       true },
    {"data.date > 2026-11-20",                                       false},
    {"data.date < 2027",                                             true },
    {"data.tags = a",                                                true },
    {"data.tags = c",                                                true },
    {"data.tags = d",                                                false},
    {"data.tags != a",                                               false},
    {"data.tags != d",                                               true },
    {"data.tags in (x, y, b)",                                       true },
    {"data.tags = a and data.tags = b",                              true },
    {"data.none = a",                                                false},
    {"data.none != a",                                               true },
    {"data.numbers > 8",                                             true },
    {"data.numbers > 9",                                             false},
    {"data.numbers < 2",                                             true },
    {"data.nested = 3",                                              true },
    {"data.nested = 4",                                              false},
    {"data.communities.id = astronomy",                              true },
    {"data.communities.id = physics",                                true },
    {"data.communities.id = biology",                                false},
    {"data.communities.id != biology",                               true },
    {"data.communities.n > 1",                                       true },
    {"data.communities.more = y",                                    true },
    {"data.communities.more = z",                                    false},
    {"exists data.communities.more",                                 true },
    {"exists data.communities.less",                                 false},
    {"data.deep.er.est = x",                                         true },
    {"data.deep.er.est = y",                                         false},
    {"exists data.deep.er",                                          true },
    {"data.dotted.name = d",                                         true },
    {"data.quoted = \"say \\\"hi\\\" \xc3\xa9\"",                    true },
    {"data.quoted = \"say hi\"",                                     false},
    {"type = record.published",                                      true },
    {"type = record.deleted",                                        false},
    {"type in (record.published, record.deleted)",                   true },
    {"source = https://repository.example.org",                      true },
    {"subject = records/abc-1",                                      true },
    {"subject.kind = records",                                       true },
    {"subject.id = abc-1",                                           true },
    {"subject.id = records",                                         false},
    {"actor.kind = users and actor.id = 7",                          true },
    {"actor.id = 07",                                                false},
    {"revision = 12",                                                true },
    {"revision > 9",                                                 true },
    {"revision < 9",                                                 false},
    {"exists operation",                                             false},
    {"exists actor",                                                 true },
    {"operation != x",                                               true },
    {"time > 2026-11-20T09:00:00Z",                                  true },
    {"time < 2026-11-20T09:00:00Z",                                  false},
    {"exists data",                                                  true },
    {"(data.size = 42)",                                             true },
    {"((data.size = 42))",                                           true },
    {"data.size = 1 or data.size = 42 and data.open = true",         true },
    {"data.size = 42 or data.size = 1 and data.open = false",        true },
    {"(data.size = 42 or data.size = 1) and data.open = false",      false},
    {"not (data.size = 42 and data.open = false)",                   true },
    {"not data.size = 1 and data.open = true",                       true },
    {"not (data.size = 1 or data.open = true)",                      false},
    {"data.resource_type = software and not exists data.embargo",    true },
};

static void conditions_hold_as_the_table_says(void **state)
{
    struct event e = event_of_test();
    struct error err;

    (void)state;
    assert_true(ARRAY_LENGTH(table) >= 100);
    for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
        struct condition *c = condition_new(table[i].text, &err);

        if (!c)
            fail_msg("%s: %s", table[i].text, err.text);
        if (condition_holds(c, &e) != table[i].holds)
            fail_msg("%s %s", table[i].text, table[i].holds ? "does not hold" : "holds");
        condition_free(c);
    }
}

static void what_is_no_condition_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"data.size",                "character 10: one of"             },
        {"data.size =",              "character 12: a value"            },
        {"= 5",                      "character 1: a field"             },
        {"and",                      "character 1: there is no such"    },
        {"size = 5",                 "begins with data."                },
        {"data.size = 5 and",        "character 18: a field"            },
        {"data.size = 5 data.x = 1", "character 15: and, or, or the end"},
        {"(data.size = 5",           "a ) is wanted"                    },
        {"data.size = 5)",           "character 14: and, or"            },
        {"()",                       "character 2: a field"             },
        {"data.size in 5",           "values in parentheses"            },
        {"data.size in ()",          "a value is wanted"                },
        {"data.size in (1 2)",       "a comma or )"                     },
        {"data.size in (1,)",        "a value is wanted"                },
        {"data.size == 5",           "a value is wanted"                },
        {"data.size ! 5",            "cannot stand here"                },
        {"data.x = \"abc",           "quotes are not closed"            },
        {"data.x = \"a\\n\"",        "may follow a backslash"           },
        {"data.x = a;b",             "cannot stand here"                },
        {"data. = 5",                "empty part"                       },
        {"data..x = 5",              "empty part"                       },
        {"\"data.x\" = 5",           "a field is wanted"                },
        {"not",                      "a field is wanted"                },
        {"exists",                   "a field is wanted"                },
        {"data.x = caf\xc3\xa9",     "cannot stand here"                },
    };
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        err = (struct error)ERROR_INIT;
        if (condition_check(wrong[i].text, &err) || err.kind != ERROR_CONFIG || !strstr(err.text, wrong[i].says))
            fail_msg("%s: %s", wrong[i].text, err.text);
    }
}

static char *repeated(const char *piece, int times, const char *end)
{
    struct buf text = BUF_INIT;

    while (times-- > 0)
        buf_add_text(&text, piece);
    buf_add_text(&text, end);
    return buf_take(&text);
}

static void size_and_depth_have_an_end(void **state)
{
    char *deep = repeated("(", CONDITION_DEPTH_MOST + 1, "data.x = 1");
    char *nots = repeated("not ", CONDITION_DEPTH_MOST + 1, "data.x = 1");
    char *wide = repeated("data.x = 1 or ", 250, "data.size = 42");
    char *large = repeated("data.x = 1 or ", 500, "data.size = 42");
    struct event e = event_of_test();
    struct condition *c;
    struct error err;

    (void)state;
    assert_false(condition_check(deep, &err));
    assert_non_null(strstr(err.text, "too deeply"));
    assert_false(condition_check(nots, &err));
    assert_false(condition_check(large, &err));
    assert_non_null(strstr(err.text, "longer than"));
    assert_non_null(c = condition_new(wide, &err));
    assert_true(condition_holds(c, &e));
    condition_free(c);
    free(deep);
    free(nots);
    free(wide);
    free(large);
}

static void an_event_without_data_meets_no_condition_on_data(void **state)
{
    struct event e = event_of_test();
    struct error err;
    struct condition *equal = condition_new("data.size = 42", &err), *unequal = condition_new("data.size != 42", &err);

    (void)state;
    e.data = SPAN_NONE;
    assert_false(condition_holds(equal, &e));
    assert_true(condition_holds(unequal, &e));
    condition_free(equal);
    condition_free(unequal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_hold_as_the_table_says),
        cmocka_unit_test(what_is_no_condition_is_refused_with_its_place),
        cmocka_unit_test(size_and_depth_have_an_end),
        cmocka_unit_test(an_event_without_data_meets_no_condition_on_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
