#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "notifier/template.h"

static struct event sample(void)
{
    struct event e = event_none;

    e.id = span_of("e-1");
    e.source = span_of("Source");
    e.type = span_of("Record.Viewed");
    e.time = span_of("2026-11-20T21:40:05Z");
    assert_true(time_parse(e.time.text, e.time.length, false, &e.time_us));
    e.subject = span_of("records/A/b c");
    e.actor = span_of("users/7");
    e.data = span_of("{\"n\":12,\"x\":1.5,\"yes\":true,\"user\":{\"id\":\"Z*\"},\"list\":[1],\"none\":null}");
    e.unique = span_of("ffee");
    e.revision = 0;
    return e;
}

static const char *filled(const char *text, const struct event *e, bool index)
{
    static char out[600];
    struct error err = ERROR_INIT;
    struct template *t = template_new(text, &err);
    struct buf b = BUF_INIT;

    if (!t)
        fail_msg("%s: %s", text, err.text);
    if (!(index ? template_add_index(t, e, &b, &err) : template_add(t, e, &b, &err)))
        snprintf(out, sizeof out, "%s", err.kind == ERROR_INPUT ? "INPUT" : "OTHER");
    else
        snprintf(out, sizeof out, "%s", b.data);
    buf_release(&b);
    template_free(t);
    return out;
}

static void placeholders_are_filled_from_the_event(void **state)
{
    static const struct {
        const char *text, *out;
    } cases[] = {
        {"",                            ""                    },
        {"plain",                       "plain"               },
        {"{{{type}}}",                  "{Record.Viewed}"     },
        {"{id}-{source}",               "e-1-Source"          },
        {"{subject}",                   "records/A/b c"       },
        {"{subject.kind}|{subject.id}", "records|A/b c"       },
        {"{actor.kind}{actor.id}",      "users7"              },
        {"{unique}:{revision}",         "ffee:0"              },
        {"{time}",                      "2026-11-20T21:40:05Z"},
        {"e-{time:%Y-%m}-{time:%d}",    "e-2026-11-20"        },
        {"{time:%Y%m%dT%H%M%S}",        "20261120T214005"     },
        {"{time:100%%}",                "100%"                },
        {"{data.n}{data.x}{data.yes}",  "121.5true"           },
        {"{data.user.id}",              "Z*"                  },
    };
    struct event e = sample();

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_string_equal(filled(cases[i].text, &e, false), cases[i].out);
}

static void what_the_event_lacks_is_an_error_of_the_input(void **state)
{
    static const char *const texts[] = {"{data.list}", "{data.none}", "{data.missing}", "{data.user}", "{operation}"};
    struct event e = sample(), bare = event_none;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_string_equal(filled(texts[i], &e, false), "INPUT");
    assert_string_equal(filled("{subject.kind}", &bare, false), "INPUT");
    assert_string_equal(filled("{revision}", &bare, false), "INPUT");
    assert_string_equal(filled("{data.n}", &bare, false), "INPUT");
}

static void a_missing_value_is_named_but_no_value_is_told(void **state)
{
    struct error err = ERROR_INIT;
    struct template *t = template_new("{data.user}", &err);
    struct event e = sample();
    struct buf out = BUF_INIT;

    (void)state;
    assert_false(template_add(t, &e, &out, &err));
    assert_non_null(strstr(err.text, "data.user"));
    assert_null(strstr(err.text, "Z*"));
    buf_release(&out);
    template_free(t);
}

static void an_index_name_holds_only_what_opensearch_takes(void **state)
{
    static const struct {
        const char *text, *out;
    } cases[] = {
        {"stats-{type}-{time:%Y-%m}", "stats-record.viewed-2026-11"},
        {"x-{subject}",               "x-records-a-b-c"            },
        {"x-{data.user.id}",          "x-z-"                       },
        {"{data.user.id}",            "z-"                         },
    };
    struct event e = sample(), odd = sample();
    char longest[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_string_equal(filled(cases[i].text, &e, true), cases[i].out);
    memset(longest, 'a', sizeof longest);
    odd.source = (struct span){longest, 255};
    assert_int_equal(strlen(filled("{source}", &odd, true)), 255);
    odd.source = (struct span){longest, 256};
    assert_string_equal(filled("{source}", &odd, true), "INPUT");
    odd.source = span_of("-x");
    assert_string_equal(filled("{source}", &odd, true), "INPUT");
    odd.source = span_of("..");
    assert_string_equal(filled("{source}", &odd, true), "INPUT");
}

static void a_time_is_not_remembered_beyond_its_span(void **state)
{
    static const char *const formats[] = {"{time:%Y-%m-%d}", "{time:%F %H}", "{time:%R}", "{time:%T}", "{time:%G-%V}"};
    static const int64_t steps_s[] = {1, 59, 60, 3599, 3600, 86399, 86400, -1, -86400, 604800};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t f = 0; f < ARRAY_LENGTH(formats); f++) {
        struct template *t = template_new(formats[f], &err);
        struct event e = sample();

        for (size_t i = 0; i < ARRAY_LENGTH(steps_s); i++) {
            struct buf out = BUF_INIT;

            e.time_us += steps_s[i] * US_PER_SECOND;
            assert_true(template_add(t, &e, &out, &err));
            assert_string_equal(out.data, filled(formats[f], &e, false));
            buf_release(&out);
        }
        template_free(t);
    }
}

static void mistakes_are_found_when_the_template_is_made(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{tpye}",       "{type}"  },
        {"{subjct.id}",  "perhaps" },
        {"{colour}",     "{colour}"},
        {"a{",           "brace"   },
        {"a}",           "brace"   },
        {"{type",        "brace"   },
        {"{}",           "{}"      },
        {"{time:%Q}",    "%"       },
        {"{time:%}",     "%"       },
        {"{time:%Y %c}", "%"       },
        {"{data.}",      "data."   },
    };
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (template_check(cases[i].text, &err))
            fail_msg("\"%s\" passed", cases[i].text);
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (!strstr(err.text, cases[i].says))
            fail_msg("\"%s\": %s", cases[i].text, err.text);
    }
    assert_true(template_check("{type}-{data.a}", &err));
}

static void the_text_of_an_index_template_is_checked(void **state)
{
    static const char *const bad[] = {"", "Stats-{type}", "a b", "-x", "_x{type}", "a/b", "a*{type}", "a,b", "a#b"};
    static const char *const good[] = {"events-stats-{type}-{time:%Y-%m}", "{type}", "audit-{time:%Y}", "x_y.z+1"};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (template_check_index(bad[i], &err))
            fail_msg("\"%s\" passed", bad[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        if (!template_check_index(good[i], &err))
            fail_msg("\"%s\": %s", good[i], err.text);
}

static void a_glob_covers_all_names_with_one_star_a_gap(void **state)
{
    static const struct {
        const char *text, *glob;
    } cases[] = {
        {"stats-{type}-{time:%Y-%m}", "stats-*-*"},
        {"{type}{id}x",               "*x"       },
        {"members",                   "members"  },
        {"a{{b{type}",                "a{b*"     },
    };
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct template *t = template_new(cases[i].text, &err);
        struct buf out = BUF_INIT;

        template_add_glob(t, &out);
        assert_string_equal(out.data, cases[i].glob);
        buf_release(&out);
        template_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placeholders_are_filled_from_the_event),
        cmocka_unit_test(what_the_event_lacks_is_an_error_of_the_input),
        cmocka_unit_test(a_missing_value_is_named_but_no_value_is_told),
        cmocka_unit_test(an_index_name_holds_only_what_opensearch_takes),
        cmocka_unit_test(a_time_is_not_remembered_beyond_its_span),
        cmocka_unit_test(mistakes_are_found_when_the_template_is_made),
        cmocka_unit_test(the_text_of_an_index_template_is_checked),
        cmocka_unit_test(a_glob_covers_all_names_with_one_star_a_gap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
