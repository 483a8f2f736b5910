#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static struct unique *of_words(const char *words, struct error *err)
{
    return unique_new(&(struct unique_options){words, "", ID_DIGEST}, err);
}

/* The id that the keys of a section give; "" with the error in err where there is none. */
static const char *id_by(const struct unique_options *o, const struct event *e, const char *data, struct error *err)
{
    static char out[4][UNIQUE_TEXT_BYTES];
    static int turn;
    char *id = out[turn++ % 4];
    struct unique *u = unique_new(o, err);
    json_t *json = data ? json_loads(data, 0, NULL) : NULL;

    assert_non_null(u);
    *id = '\0';
    if (!unique_id(u, e, json, id, err))
        *id = '\0';
    unique_free(u);
    json_decref(json);
    return id;
}

static const char *id_of(const char *words, const struct event *e, const char *data, struct error *err)
{
    return id_by(&(struct unique_options){words, "", ID_DIGEST}, e, data, err);
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
    struct unique *u = of_words("", &err);

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
    struct unique *u = of_words("data.recid visitor_id time/10s", &err);

    (void)state;
    assert_non_null(u);
    assert_true(unique_latest_wins(u));
    unique_free(u);
    assert_true(unique_check("id source type time subject revision actor operation unique_session_id country is_robot "
                             "is_machine data.a.b time/1d",
                             &err));
    assert_true(unique_check("", &err));
}

/* ---------------------------------------------------------------------------------------------------- clicks */

static void a_window_of_clicks_is_the_last_field(void **state)
{
    struct event e = sample();
    struct error err = ERROR_INIT;

    (void)state;
    assert_string_equal(id_by(&(struct unique_options){"data.a", "window 10s", ID_DIGEST}, &e, "{\"a\":1}", &err),
                        id_of("data.a time/10s", &e, "{\"a\":1}", &err));
    assert_string_equal(id_by(&(struct unique_options){"data.a", "window 0s", ID_DIGEST}, &e, "{\"a\":1}", &err),
                        id_of("data.a time/1s", &e, "{\"a\":1}", &err));
}

static void click_of(const struct event *e, const char *data, char out[ID_TEXT_BYTES])
{
    struct error err = ERROR_INIT;
    struct unique *u = unique_new(&(struct unique_options){"data.a visitor_id", "cop51", ID_DIGEST}, &err);
    json_t *json = json_loads(data, 0, NULL);

    assert_non_null(u);
    assert_false(unique_latest_wins(u));
    if (!unique_click(u, e, json, out, &err))
        fail_msg("%s", err.text);
    json_decref(json);
    unique_free(u);
}

static void clicks_of_cop51_have_ids_of_their_own_and_one_digest(void **state)
{
    static const char one[] = "{\"a\":1,\"visitor_id\":\"v\"}", other[] = "{\"a\":2,\"visitor_id\":\"v\"}";
    const struct unique_options cop51 = {"data.a visitor_id", "cop51", ID_DIGEST};
    struct event first = sample(), second = sample();
    char clicks[3][ID_TEXT_BYTES];
    struct error err = ERROR_INIT;

    (void)state;
    second.id = span_of("e-2");
    second.time_us += 20 * US_PER_SECOND;
    assert_string_equal(id_by(&cop51, &first, one, &err), id_of("", &first, NULL, &err));
    assert_string_not_equal(id_by(&cop51, &first, one, &err), id_by(&cop51, &second, one, &err));
    click_of(&first, one, clicks[0]);
    click_of(&second, one, clicks[1]);
    click_of(&first, other, clicks[2]);
    assert_int_equal(strlen(clicks[0]), ID_TEXT_BYTES - 1);
    assert_string_equal(clicks[0], clicks[1]);
    assert_string_not_equal(clicks[0], clicks[2]);
}

static void other_clicks_have_no_digest_and_a_missing_field_is_named(void **state)
{
    struct event e = sample();
    struct error err = ERROR_INIT;
    struct unique *window = unique_new(&(struct unique_options){"data.a", "window 10s", ID_DIGEST}, &err);
    struct unique *cop51 = unique_new(&(struct unique_options){"data.a", "cop51", ID_DIGEST}, &err);
    char click[ID_TEXT_BYTES] = "left";

    (void)state;
    assert_true(unique_click(window, &e, NULL, click, &err));
    assert_string_equal(click, "");
    assert_false(unique_click(cop51, &e, NULL, click, &err));
    assert_int_equal(err.kind, ERROR_INPUT);
    assert_non_null(strstr(err.text, "data.a"));
    unique_free(window);
    unique_free(cop51);
}

/* By the formula of invenio-stats 7.0.2 under TZ=UTC, of unique_id ui_abc; the differential test runs their code. */
static const struct {
    const char *time, *clicks, *visitor, *id;
} reference_ids[] = {
    {"2018-01-01T12:00:09.999999Z", "",            "v1", "2018-01-01T12:00:09-f2ffe6b595c8dafc450d216c0020ba1bfb552f30"},
    {"2018-01-01T12:00:09.999999Z", "window 0s",   "v1", "2018-01-01T12:00:09-f2ffe6b595c8dafc450d216c0020ba1bfb552f30"},
    {"2018-01-01T12:00:09.999999Z", "window 0s",   NULL, "2018-01-01T12:00:09-d093c0ca6e17e05b583f5d17e99c7976e452bbf9"},
    {"2018-01-01T12:00:09.999999Z", "window 10s",  "v1", "2018-01-01T12:00:00-f2ffe6b595c8dafc450d216c0020ba1bfb552f30"},
    {"2018-01-01T12:00:09.999999Z", "window 10s",  NULL, "2018-01-01T12:00:00-d093c0ca6e17e05b583f5d17e99c7976e452bbf9"},
    {"2024-02-29T23:59:59Z",        "window 10s",  "v1", "2024-02-29T23:59:50-f2ffe6b595c8dafc450d216c0020ba1bfb552f30"},
    {"2026-11-20T21:47:13Z",        "window 30s",  "v1", "2026-11-20T21:47:00-f2ffe6b595c8dafc450d216c0020ba1bfb552f30"},
    {"2026-11-20T21:47:13Z",        "window 180s", "v1", "2026-11-20T21:45:00-f2ffe6b595c8dafc450d216c0020ba1bfb552f30"},
    {"2026-11-20T22:47:13+01:00",   "window 3m",   NULL, "2026-11-20T21:45:00-d093c0ca6e17e05b583f5d17e99c7976e452bbf9"},
};

static void the_references_ids_are_made_in_utc_whatever_the_zone(void **state)
{
    static const char *const zones[] = {"UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t z = 0; z < ARRAY_LENGTH(zones); z++) {
        setenv("TZ", zones[z], 1);
        tzset();
        for (size_t i = 0; i < ARRAY_LENGTH(reference_ids); i++) {
            struct unique_options o = {"", reference_ids[i].clicks, ID_REFERENCE};
            struct event e = sample();
            char data[200] = "{\"unique_id\":\"ui_abc\"}";

            if (reference_ids[i].visitor)
                snprintf(data, sizeof data, "{\"unique_id\":\"ui_abc\",\"visitor_id\":\"%s\"}",
                         reference_ids[i].visitor);
            assert_true(time_parse(reference_ids[i].time, strlen(reference_ids[i].time), false, &e.time_us));
            assert_string_equal(id_by(&o, &e, data, &err), reference_ids[i].id);
        }
    }
    setenv("TZ", "UTC", 1);
    tzset();
}

static void the_references_id_needs_a_unique_id(void **state)
{
    struct event e = sample();
    struct error err = ERROR_INIT;
    struct unique_options o = {"", "", ID_REFERENCE};

    (void)state;
    assert_string_equal(id_by(&o, &e, "{\"visitor_id\":\"canary\"}", &err), "");
    assert_int_equal(err.kind, ERROR_INPUT);
    assert_non_null(strstr(err.text, "data.unique_id"));
    assert_string_equal(id_by(&o, &e, NULL, &err), "");
}

static void keys_that_contradict_each_other_are_refused(void **state)
{
    static const struct {
        const char *unique, *clicks;
        enum id_form form;
        int64_t lateness_ms;
        const char *says; /* NULL: they agree */
    } cases[] = {
        {"",                          "",           ID_DIGEST,    600000, NULL            },
        {"data.a",                    "window 10s", ID_DIGEST,    600000, NULL            },
        {"data.a visitor_id",         "cop51",      ID_DIGEST,    30000,  NULL            },
        {"",                          "window 10s", ID_REFERENCE, 600000, NULL            },
        {"data.unique_id visitor_id", "",           ID_REFERENCE, 600000, NULL            },
        {"data.unique_id visitor_id", "cop51",      ID_REFERENCE, 600000, "id = digest"   },
        {"data.unique_id",            "window 10s", ID_REFERENCE, 600000, "visitor_id"    },
        {"data.recid visitor_id",     "",           ID_REFERENCE, 600000, "data.unique_id"},
        {"",                          "window 10s", ID_DIGEST,    600000, "needs unique"  },
        {"",                          "cop51",      ID_DIGEST,    600000, "needs unique"  },
        {"data.a time/10s",           "window 10s", ID_DIGEST,    600000, "two windows"   },
        {"data.a time/10s",           "cop51",      ID_DIGEST,    600000, "two windows"   },
        {"data.a",                    "cop51",      ID_DIGEST,    29999,  "lateness"      },
        {"data.a actor",              "",           ID_DIGEST,    600000, "visitor_id"    },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char unique[100], clicks[100], prepare[] = "visitor";
        struct event_settings es = {.prepare = prepare,
                                    .unique = unique,
                                    .clicks = clicks,
                                    .id = (int)cases[i].form,
                                    .lateness_ms = cases[i].lateness_ms};
        struct error err = ERROR_INIT;

        snprintf(unique, sizeof unique, "%s", cases[i].unique);
        snprintf(clicks, sizeof clicks, "%s", cases[i].clicks);
        if (unique_section_check(&es, &err) != !cases[i].says)
            fail_msg("unique = %s, clicks = %s: %s", unique, clicks, err.text);
        if (cases[i].says && (err.kind != ERROR_CONFIG || !strstr(err.text, cases[i].says)))
            fail_msg("%s", err.text);
    }
}

static void clicks_that_are_no_rule_are_refused(void **state)
{
    static const char *const bad[] = {"window",      "window10s",  "window soon", "window 10.5s", "window 500ms",
                                      "window -10s", "Window 10s", "cop5",        "cop51 30s",    "window 367d"};
    struct error err = ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (unique_clicks_check(bad[i], &err))
            fail_msg("%s passed", bad[i]);
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_true(unique_clicks_check("window  10s", &err));
    assert_true(unique_clicks_check("cop51", &err));
    assert_true(unique_clicks_check("", &err));
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
        cmocka_unit_test(a_window_of_clicks_is_the_last_field),
        cmocka_unit_test(clicks_of_cop51_have_ids_of_their_own_and_one_digest),
        cmocka_unit_test(other_clicks_have_no_digest_and_a_missing_field_is_named),
        cmocka_unit_test(the_references_ids_are_made_in_utc_whatever_the_zone),
        cmocka_unit_test(the_references_id_needs_a_unique_id),
        cmocka_unit_test(keys_that_contradict_each_other_are_refused),
        cmocka_unit_test(clicks_that_are_no_rule_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
