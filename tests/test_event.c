#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "notifier/event.h"

static struct event sample(void)
{
    struct event e = event_none;

    e.id = span_of("e-1");
    e.source = span_of("/repository");
    e.type = span_of("user.updated");
    e.time = span_of("2026-11-20T21:40:00.000001Z");
    e.time_us = INT64_C(1795210800000001);
    e.subject = span_of("users/42/a");
    e.actor = span_of("users/\"7\"");
    e.operation = span_of("op");
    e.traceparent = span_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    e.data = span_of("{\"name\":\"x\"}");
    e.unique = span_of("00112233445566778899aabbccddeeff");
    e.only = span_of("trail");
    e.revision = 9;
    e.latest_wins = true;
    return e;
}

/* The words of args as Redis would give them back. */
static struct reply as_reply(const struct args *args, struct reply items[64])
{
    assert_true(args->count <= 64);
    for (size_t i = 0; i < args->count; i++)
        items[i] = (struct reply){.kind = REPLY_TEXT, .text = args->words[i], .length = args->lengths[i]};
    return (struct reply){.kind = REPLY_ARRAY, .items = items, .count = args->count};
}

static void assert_span(struct span got, struct span wanted)
{
    assert_int_equal(got.length, wanted.length);
    assert_memory_equal(got.text, wanted.text, wanted.length);
}

static void an_event_comes_back_from_its_fields_unchanged(void **state)
{
    struct event e = sample(), back;
    struct args args = ARGS_INIT;
    struct reply items[64], fields;
    struct error err = ERROR_INIT;

    (void)state;
    assert_int_equal(event_add_fields(&e, &args), 26);
    assert_int_equal(args.count, 26);
    fields = as_reply(&args, items);
    assert_true(event_from_fields(&back, &fields, &err));
    assert_span(back.id, e.id);
    assert_span(back.source, e.source);
    assert_span(back.type, e.type);
    assert_span(back.time, e.time);
    assert_span(back.subject, e.subject);
    assert_span(back.actor, e.actor);
    assert_span(back.operation, e.operation);
    assert_span(back.traceparent, e.traceparent);
    assert_span(back.data, e.data);
    assert_span(back.unique, e.unique);
    assert_span(back.only, e.only);
    assert_int_equal(back.revision, 9);
    assert_int_equal(back.time_us, e.time_us);
    assert_true(back.latest_wins);
    args_release(&args);
}

static void what_is_not_set_takes_no_field(void **state)
{
    struct event e = event_none;
    struct args args = ARGS_INIT;

    (void)state;
    e.type = span_of("a");
    assert_int_equal(event_add_fields(&e, &args), 2);
    args_release(&args);
}

static void fields_in_another_order_and_unknown_ones_are_read(void **state)
{
    const char *words[] = {"revision", "3",  "colour", "red", "time", "2026-11-20T00:00:00Z",
                           "data",     "{}", "type",   "a.b"};
    struct args args = ARGS_INIT;
    struct reply items[64], fields;
    struct error err = ERROR_INIT;
    struct event e;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        args_text(&args, words[i]);
    fields = as_reply(&args, items);
    assert_true(event_from_fields(&e, &fields, &err));
    assert_true(span_is(e.type, "a.b"));
    assert_true(span_is(e.data, "{}"));
    assert_int_equal(e.revision, 3);
    assert_int_equal(e.subject.length, 0);
    assert_false(e.latest_wins);
    args_release(&args);
}

static void an_entry_that_is_no_event_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *words[6], *reason;
    } cases[] = {
        {{"time", "2026-11-20T00:00:00Z"},                                "type"    },
        {{"type", "a"},                                                   "time"    },
        {{"type", "a", "time", "yesterday"},                              "time"    },
        {{"type", "a", "time", "2026-11-20T00:00:00Z", "revision", "x"},  "revision"},
        {{"type", "a", "time", "2026-11-20T00:00:00Z", "revision", "-4"}, "revision"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct args args = ARGS_INIT;
        struct reply items[64], fields;
        struct error err = ERROR_INIT;
        struct event e;

        for (size_t w = 0; w < 6 && cases[i].words[w]; w++)
            args_text(&args, cases[i].words[w]);
        fields = as_reply(&args, items);
        assert_false(event_from_fields(&e, &fields, &err));
        assert_int_equal(err.kind, ERROR_INPUT);
        assert_non_null(strstr(err.text, cases[i].reason));
        args_release(&args);
    }
}

static void an_event_is_written_as_a_cloud_event(void **state)
{
    struct event e = sample();
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    json_t *json;

    (void)state;
    event_add_json(&e, &out);
    json = json_text_parse(out.data, out.length, 8, &err);
    assert_non_null(json);
    assert_string_equal(json_member_text(json, "specversion", ""), "1.0");
    assert_string_equal(json_member_text(json, "id", ""), "e-1");
    assert_string_equal(json_member_text(json, "actor", ""), "users/\"7\"");
    assert_string_equal(json_member_text(json, "datacontenttype", ""), "application/json");
    assert_int_equal(json_integer_value(json_object_get(json, "revision")), 9);
    assert_string_equal(json_member_text(json_object_get(json, "data"), "name", ""), "x");
    assert_null(json_object_get(json, "unique"));
    json_decref(json);
    buf_release(&out);
}

static void attributes_are_found_by_name(void **state)
{
    struct event e = sample();
    struct buf scratch = BUF_INIT;
    struct span value;

    (void)state;
    for (const char *const *name = event_attribute_names; *name; name++) {
        assert_true(event_attribute(&e, *name, &value, &scratch));
        assert_true(value.length > 0);
    }
    assert_true(event_attribute(&e, "revision", &value, &scratch));
    assert_true(span_is(value, "9"));
    assert_false(event_attribute(&e, "data", &value, &scratch));
    assert_false(event_attribute(&e, "colour", &value, &scratch));
    e = event_none;
    assert_true(event_attribute(&e, "revision", &value, &scratch));
    assert_int_equal(value.length, 0);
    buf_release(&scratch);
}

static void a_reference_has_a_kind_and_an_id(void **state)
{
    struct event e = sample();

    (void)state;
    assert_true(span_is(event_subject_kind(&e), "users"));
    assert_true(span_is(event_subject_id(&e), "42/a"));
    e.subject = span_of("alone");
    assert_int_equal(event_subject_kind(&e).length, 0);
    assert_true(span_is(event_subject_id(&e), "alone"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_comes_back_from_its_fields_unchanged),
        cmocka_unit_test(what_is_not_set_takes_no_field),
        cmocka_unit_test(fields_in_another_order_and_unknown_ones_are_read),
        cmocka_unit_test(an_entry_that_is_no_event_is_refused_with_the_reason),
        cmocka_unit_test(an_event_is_written_as_a_cloud_event),
        cmocka_unit_test(attributes_are_found_by_name),
        cmocka_unit_test(a_reference_has_a_kind_and_an_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
