#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "notifier/unique.h"

static struct event sample(void)
{
    struct event e = event_none;

    e.id = span_of("e-1");
    e.source = span_of("/repository");
    e.type = span_of("record-view");
    e.time = span_of("2026-11-20T21:40:05Z");
    assert_true(time_parse(e.time.text, e.time.length, false, &e.time_us));
    return e;
}

/* The id that words give; "" with the error in err where there is none. */
static const char *id_of(const char *words, const struct event *e, const char *data, struct error *err)
{
    static char out[4][ID_TEXT_BYTES];
    static int turn;
    char *id = out[turn++ % 4];
    struct unique *u = unique_new(words, err);
    json_t *json = data ? json_loads(data, 0, NULL) : NULL;

    assert_non_null(u);
    *id = '\0';
    if (!unique_id(u, e, json, id, err))
        *id = '\0';
    unique_free(u);
    json_decref(json);
    return id;
}

static void the_id_stays_the_same_in_later_versions(void **state)
{
    struct event e = sample();
    struct error err = ERROR_INIT;

    (void)state;
    assert_string_equal(id_of("", &e, NULL, &err), "1ad028c8c7ec5d8e67fe9ae86e1d4467");
    assert_string_equal(
        id_of("data.recid visitor_id time/10s", &e, "{\"recid\":\"abcd-1234\",\"visitor_id\":\"v1\"}", &err),
        "f9ae6375c2f9900606b2db9846210512");
}

static void without_fields_source_and_id_make_the_id(void **state)
{
    struct event a = sample(), b = sample(), c = sample();
    struct error err = ERROR_INIT;
    struct unique *u = unique_new("", &err);

    (void)state;
    b.type = span_of("other");
    c.source = span_of("/elsewhere");
    assert_string_equal(id_of("", &a, NULL, &err), id_of("", &b, "{}", &err));
    assert_string_not_equal(id_of("", &a, NULL, &err), id_of("", &c, NULL, &err));
    assert_false(unique_latest_wins(u));
    unique_free(u);
}

static void an_id_of_fields_never_equals_one_of_source_and_id(void **state)
{
    struct event a = sample(), b = sample();
    struct error err = ERROR_INIT;

    (void)state;
    a.type = span_of("same");
    b.source = span_of("same");
    b.id = span_of("value");
    assert_string_not_equal(id_of("data.x", &a, "{\"x\":\"value\"}", &err), id_of("", &b, NULL, &err));
}

static void where_one_field_ends_makes_a_difference(void **state)
{
    struct event e = sample();
    struct error err = ERROR_INIT;

    (void)state;
    assert_string_not_equal(id_of("data.a data.b", &e, "{\"a\":\"x\",\"b\":\"yz\"}", &err),
                            id_of("data.a data.b", &e, "{\"a\":\"xy\",\"b\":\"z\"}", &err));
}

static void a_window_takes_times_together(void **state)
{
    struct event first = sample(), last = sample(), next = sample();
    struct error err = ERROR_INIT;

    (void)state;
    first.time_us = INT64_C(1795210800000000);
    last.time_us = INT64_C(1795210809999999);
    next.time_us = INT64_C(1795210810000000);
    assert_string_equal(id_of("time/10s", &first, NULL, &err), id_of("time/10s", &last, NULL, &err));
    assert_string_not_equal(id_of("time/10s", &first, NULL, &err), id_of("time/10s", &next, NULL, &err));
    assert_string_equal(id_of("time/1h", &first, NULL, &err), id_of("time/1h", &next, NULL, &err));
}

static void numbers_and_nested_fields_count(void **state)
{
    struct event e = sample();
    struct error err = ERROR_INIT;

    (void)state;
    assert_string_equal(id_of("data.a.b", &e, "{\"a\":{\"b\":12}}", &err),
                        id_of("data.a.b", &e, "{\"a\":{\"b\":\"12\"}}", &err));
    assert_string_not_equal(id_of("data.a.b", &e, "{\"a\":{\"b\":12}}", &err),
                            id_of("data.a.b", &e, "{\"a\":{\"b\":13}}", &err));
}

static void a_missing_field_is_named_and_no_value_told(void **state)
{
    static const struct {
        const char *words, *data, *says;
    } cases[] = {
        {"data.recid",     "{\"other\":\"canary\"}",   "data.recid"},
        {"data.recid",     NULL,                       "data.recid"},
        {"data.recid",     "{\"recid\":null}",         "missing"   },
        {"data.recid",     "{\"recid\":[\"canary\"]}", "no text"   },
        {"visitor_id",     "{\"user_id\":\"canary\"}", "visitor_id"},
        {"data.a subject", "{\"a\":\"canary\"}",       "subject"   },
    };
    struct event e = sample();

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = ERROR_INIT;

        assert_string_equal(id_of(cases[i].words, &e, cases[i].data, &err), "");
        assert_int_equal(err.kind, ERROR_INPUT);
        if (!strstr(err.text, cases[i].says) || strstr(err.text, "canary"))
            fail_msg("%s: %s", cases[i].words, err.text);
    }
}

static void words_that_name_nothing_are_refused(void **state)
{
    static const struct {
        const char *words, *says;
    } cases[] = {
        {"visitor",      "visitor_id"},
        {"recid",        "data.PATH" },
        {"data.",        "data."     },
        {"data.a time/", "time/"     },
        {"time/0s",      "time/0s"   },
        {"time/soon",    "time/soon" },
        {"data",         "data"      },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct error err = ERROR_INIT;

        if (unique_check(cases[i].words, &err))
            fail_msg("\"%s\" passed", cases[i].words);
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (!strstr(err.text, cases[i].says))
            fail_msg("\"%s\": %s", cases[i].words, err.text);
    }
}

static void words_of_the_manual_pass(void **state)
{
    struct error err = ERROR_INIT;
    struct unique *u = unique_new("data.recid visitor_id time/10s", &err);

    (void)state;
    assert_non_null(u);
    assert_true(unique_latest_wins(u));
    unique_free(u);
    assert_true(unique_check("id source type time subject revision actor operation unique_session_id country is_robot "
                             "is_machine data.a.b time/1d",
                             &err));
    assert_true(unique_check("", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_id_stays_the_same_in_later_versions),
        cmocka_unit_test(without_fields_source_and_id_make_the_id),
        cmocka_unit_test(an_id_of_fields_never_equals_one_of_source_and_id),
        cmocka_unit_test(where_one_field_ends_makes_a_difference),
        cmocka_unit_test(a_window_takes_times_together),
        cmocka_unit_test(numbers_and_nested_fields_count),
        cmocka_unit_test(a_missing_field_is_named_and_no_value_told),
        cmocka_unit_test(words_that_name_nothing_are_refused),
        cmocka_unit_test(words_of_the_manual_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
