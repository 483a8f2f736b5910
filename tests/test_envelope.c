#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "notifier/envelope.h"

#define HEAD  "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\""
#define WHOLE HEAD ",\"type\":\"user.updated\""

struct fixture {
    struct arena *arena;
    struct event event;
    json_t *data;
    struct error err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    f->arena = arena_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    json_decref(f->data);
    arena_free(f->arena);
    free(f);
    return 0;
}

static bool read_text(struct fixture *f, const char *text)
{
    json_error_t wrong;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &wrong);
    bool ok;

    if (!json)
        fail_msg("%s: %s", text, wrong.text);
    json_decref(f->data);
    f->err = (struct error)ERROR_INIT;
    ok = envelope_read(json, f->arena, &f->event, &f->data, &f->err);
    json_decref(json);
    return ok;
}

static void must_read(struct fixture *f, const char *text)
{
    if (!read_text(f, text))
        fail_msg("%s: %s", text, f->err.text);
}

static void a_cloud_event_is_read_with_all_its_attributes(void **state)
{
    struct fixture *f = *state;

    must_read(f, "{" WHOLE ",\"time\":\"2026-11-20T23:40:00.5+02:00\",\"subject\":\"users/42\",\"actor\":\"users/7\","
                 "\"operation\":\"op-1\",\"revision\":7,\"datacontenttype\":\"application/json; charset=utf-8\","
                 "\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\",\"colour\":\"red\","
                 "\"dataschema\":\"http://x\",\"data\":{\"a\":1}}");
    assert_true(span_is(f->event.id, "1"));
    assert_true(span_is(f->event.source, "/s"));
    assert_true(span_is(f->event.type, "user.updated"));
    assert_true(span_is(f->event.time, "2026-11-20T21:40:00.500000Z"));
    assert_true(span_is(f->event.subject, "users/42"));
    assert_true(span_is(f->event.actor, "users/7"));
    assert_true(span_is(f->event.operation, "op-1"));
    assert_int_equal(f->event.traceparent.length, 55);
    assert_int_equal(f->event.revision, 7);
    assert_int_equal(json_integer_value(json_object_get(f->data, "a")), 1);
    assert_int_equal(f->event.data.length, 0);
    assert_int_equal(f->event.unique.length, 0);
}

static void what_is_absent_or_null_stays_unset(void **state)
{
    struct fixture *f = *state;
    int64_t before = clock_wall_us();

    must_read(f, "{" WHOLE ",\"subject\":null,\"revision\":null,\"data\":null,\"data_base64\":null}");
    assert_int_equal(f->event.subject.length, 0);
    assert_int_equal(f->event.revision, REVISION_NONE);
    assert_null(f->data);
    assert_true(f->event.time_us >= before && f->event.time_us <= clock_wall_us());
}

static void a_revision_may_be_text_but_must_be_a_whole_number(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"-1", "1.5", "\"1.5\"", "\"-1\"", "\"\"", "true", "\"9223372036854775808\"",
                                      "[]"};

    must_read(f, "{" WHOLE ",\"revision\":\"9223372036854775807\"}");
    assert_int_equal(f->event.revision, INT64_MAX);
    must_read(f, "{" WHOLE ",\"revision\":0}");
    assert_int_equal(f->event.revision, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        char text[200];

        snprintf(text, sizeof text, "{" WHOLE ",\"revision\":%s}", bad[i]);
        if (read_text(f, text))
            fail_msg("revision %s was taken", bad[i]);
        assert_non_null(strstr(f->err.text, "revision"));
    }
}

static void each_mistake_of_an_envelope_is_named(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[]",                                                                             "object"           },
        {"\"x\"",                                                                          "object"           },
        {"{}",                                                                             "short form"       },
        {"{\"id\":\"1\",\"source\":\"s\",\"type\":\"a\"}",                                 "specversion"      },
        {"{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"s\",\"type\":\"a\"}",         "1.0"              },
        {"{\"specversion\":1.0,\"id\":\"1\",\"source\":\"s\",\"type\":\"a\"}",             "specversion"      },
        {"{\"specversion\":\"1.0\",\"source\":\"s\",\"type\":\"a\"}",                      "id is missing"    },
        {"{\"specversion\":\"1.0\",\"id\":\"1\",\"type\":\"a\"}",                          "source"           },
        {"{" HEAD "}",                                                                     "type is missing"  },
        {"{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"s\",\"type\":\"a\"}",          "id is empty"      },
        {"{\"specversion\":\"1.0\",\"id\":7,\"source\":\"s\",\"type\":\"a\"}",             "id must be text"  },
        {"{\"specversion\":\"1.0\",\"id\":\"a\\nb\",\"source\":\"s\",\"type\":\"a\"}",     "control"          },
        {"{\"specversion\":\"1.0\",\"id\":\"a\\u0085b\",\"source\":\"s\",\"type\":\"a\"}", "control"          },
        {"{" HEAD ",\"type\":\"a b\"}",                                                    "type"             },
        {"{" HEAD ",\"type\":\".a\"}",                                                     "type"             },
        {"{" HEAD ",\"type\":\"a.\"}",                                                     "type"             },
        {"{" HEAD ",\"type\":\"a..b\"}",                                                   "type"             },
        {"{" HEAD ",\"type\":\"a.b.c.d.e.f.g.h.i\"}",                                      "type"             },
        {"{" HEAD ",\"type\":\"\\u00e4\"}",                                                "type"             },
        {"{" WHOLE ",\"time\":\"2026-11-20\"}",                                            "time"             },
        {"{" WHOLE ",\"time\":\"2026-11-20T10:00:00\"}",                                   "time"             },
        {"{" WHOLE ",\"time\":1700000000}",                                                "time"             },
        {"{" WHOLE ",\"subject\":\"42\"}",                                                 "kind/id"          },
        {"{" WHOLE ",\"subject\":\"/42\"}",                                                "kind/id"          },
        {"{" WHOLE ",\"subject\":\"users/\"}",                                             "kind/id"          },
        {"{" WHOLE ",\"actor\":\"me\"}",                                                   "actor"            },
        {"{" WHOLE ",\"operation\":\"\"}",                                                 "operation"        },
        {"{" WHOLE ",\"datacontenttype\":\"text/plain\",\"data\":{}}",                     "JSON"             },
        {"{" WHOLE ",\"datacontenttype\":\"application/jsonx\"}",                          "JSON"             },
        {"{" WHOLE ",\"data\":\"canary\"}",                                                "data must be"     },
        {"{" WHOLE ",\"data\":[1]}",                                                       "data must be"     },
        {"{" WHOLE ",\"data_base64\":\"Y2FuYXJ5\"}",                                       "data_base64"      },
        {"{\"event_type\":\"a\",\"payload\":[]}",                                          "payload"          },
        {"{\"event_type\":\"a\",\"payload\":{\"timestamp\":\"yesterday\"}}",               "payload.timestamp"},
        {"{\"event_type\":7}",                                                             "event_type"       },
        {"{\"event_type\":\"a b\"}",                                                       "type"             },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (read_text(f, cases[i].text))
            fail_msg("%s was taken", cases[i].text);
        assert_int_equal(f->err.kind, ERROR_INPUT);
        assert_null(f->data);
        if (!strstr(f->err.text, cases[i].says) || strstr(f->err.text, "canary"))
            fail_msg("%s: %s", cases[i].text, f->err.text);
    }
}

static void longest_texts_are_taken_and_longer_ones_not(void **state)
{
    static const struct {
        const char *name;
        size_t most;
    } cases[] = {
        {"id",      512 },
        {"source",  1024},
        {"subject", 1024},
        {"type",    1024},
    };
    struct fixture *f = *state;
    char value[1100];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        f->event = event_none;
        memset(value, 'a', sizeof value);
        if (strcmp(cases[i].name, "subject") == 0)
            value[1] = '/';
        value[cases[i].most] = '\0';
        assert_true(envelope_attribute(&f->event, cases[i].name, value, f->arena, &f->err));
        value[cases[i].most] = 'a';
        value[cases[i].most + 1] = '\0';
        assert_false(envelope_attribute(&f->event, cases[i].name, value, f->arena, &f->err));
        assert_non_null(strstr(f->err.text, cases[i].name));
    }
}

static void a_trace_context_that_is_none_is_left_aside(void **state)
{
    static const struct {
        const char *text;
        bool kept;
    } cases[] = {
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",   true },
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", true },
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x", false},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",  false},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",   false},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01",   false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",   false},
        {"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",   false},
        {"00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",   false},
        {"garbage",                                                   false},
        {"",                                                          false},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        f->event = event_none;
        assert_true(envelope_attribute(&f->event, "traceparent", cases[i].text, f->arena, &f->err));
        if ((f->event.traceparent.length > 0) != cases[i].kept)
            fail_msg("%s", cases[i].text);
    }
}

static void bytes_that_are_no_utf8_are_refused(void **state)
{
    static const char *const bad[] = {"\xff", "a\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "x\xe2\x82"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        f->event = event_none;
        assert_false(envelope_attribute(&f->event, "id", bad[i], f->arena, &f->err));
        assert_non_null(strstr(f->err.text, "UTF-8"));
    }
}

static void the_short_form_becomes_type_and_data(void **state)
{
    struct fixture *f = *state;

    must_read(
        f, "{\"event_type\":\"record-view\",\"payload\":{\"timestamp\":\"2026-11-20T10:00:00.25\",\"recid\":\"r\"}}");
    assert_true(span_is(f->event.type, "record-view"));
    assert_true(span_is(f->event.time, "2026-11-20T10:00:00.250000Z"));
    assert_true(f->event.source.length > 0);
    assert_int_equal(f->event.id.length, 0); /* envelope_name gives it one */
    assert_string_equal(json_member_text(f->data, "recid", ""), "r");
    must_read(f, "{\"event_type\":\"a\",\"id\":\"i\",\"source\":\"s\",\"subject\":\"users/1\",\"revision\":2}");
    assert_true(span_is(f->event.id, "i"));
    assert_true(span_is(f->event.source, "s"));
    assert_int_equal(f->event.revision, 2);
    assert_null(f->data);
}

static const char *named(struct fixture *f, struct keyed_hash *key, const char *text)
{
    must_read(f, text);
    envelope_name(&f->event, f->data, key, f->arena);
    assert_int_equal(f->event.id.length, 32);
    return f->event.id.text;
}

static void a_short_form_with_a_timestamp_has_the_same_id_each_time(void **state)
{
    static const char one[] = "{\"event_type\":\"a\",\"payload\":{\"timestamp\":\"2026-11-20T10:00:00\",\"b\":1}}";
    static const char same[] = "{\"payload\":{\"b\":1,\"timestamp\":\"2026-11-20T10:00:00\"},\"event_type\":\"a\"}";
    static const char other[] = "{\"event_type\":\"a\",\"payload\":{\"timestamp\":\"2026-11-20T10:00:00\",\"b\":2}}";
    struct fixture *f = *state;
    struct keyed_hash *keys[] = {NULL, keyed_hash_new((const unsigned char *)"k", 1),
                                 keyed_hash_new((const unsigned char *)"l", 1)};
    char ids[3][40];

    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        snprintf(ids[i], sizeof ids[i], "%s", named(f, keys[i], one));
        assert_string_equal(named(f, keys[i], same), ids[i]);
        assert_string_not_equal(named(f, keys[i], other), ids[i]);
        keyed_hash_free(keys[i]);
    }
    assert_string_not_equal(ids[0], ids[1]);
    assert_string_not_equal(ids[1], ids[2]);
}

static void a_short_form_without_a_timestamp_is_a_new_event_each_time(void **state)
{
    struct fixture *f = *state;
    char first[40];

    must_read(f, "{\"event_type\":\"a\",\"payload\":{\"b\":1}}");
    snprintf(first, sizeof first, "%s", f->event.id.text);
    must_read(f, "{\"event_type\":\"a\",\"payload\":{\"b\":1}}");
    assert_string_not_equal(f->event.id.text, first);
}

static void types_of_the_service_itself_are_not_admitted(void **state)
{
    static const struct {
        const char *type;
        bool admitted;
    } cases[] = {
        {"crier",              false},
        {"crier.dead.retried", false},
        {"crierx",             true },
        {"a.crier",            true },
        {"cri",                true },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        f->event = event_none;
        f->event.type = span_of(cases[i].type);
        assert_int_equal(envelope_admitted(&f->event, &f->err), cases[i].admitted);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cloud_event_is_read_with_all_its_attributes),
        TEST(what_is_absent_or_null_stays_unset),
        TEST(a_revision_may_be_text_but_must_be_a_whole_number),
        TEST(each_mistake_of_an_envelope_is_named),
        TEST(longest_texts_are_taken_and_longer_ones_not),
        TEST(a_trace_context_that_is_none_is_left_aside),
        TEST(bytes_that_are_no_utf8_are_refused),
        TEST(the_short_form_becomes_type_and_data),
        TEST(a_short_form_with_a_timestamp_has_the_same_id_each_time),
        TEST(a_short_form_without_a_timestamp_is_a_new_event_each_time),
        TEST(types_of_the_service_itself_are_not_admitted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
