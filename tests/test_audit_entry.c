/* What an audit entry says of an event, and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "handlers/audit/audit_entry.h"
#include "handlers/audit/audit_fields.h"

static char type_text[] = "{type}", nothing[] = "", name_path[] = "data.actor_name",
            behalf_path[] = "data.on_behalf_of";

static struct audit_options options(void)
{
    return (struct audit_options){.index = nothing,
                                  .action = type_text,
                                  .actions = nothing,
                                  .actor_name = name_path,
                                  .on_behalf_of = behalf_path,
                                  .request = nothing,
                                  .mask = nothing,
                                  .field_bytes = 8192};
}

static struct event event_with(const char *data)
{
    struct event e = event_none;

    e.id = span_of("n1");
    e.unique = span_of("00112233445566778899aabbccddeeff");
    e.source = span_of("https://repository.example.org");
    e.type = span_of("user.updated");
    e.time = span_of("2026-11-20T10:00:00Z");
    e.subject = span_of("users/42");
    e.actor = span_of("users/1");
    e.revision = 7;
    e.data = span_of(data);
    return e;
}

typedef void adder(const struct event *e, const struct audit_fields *f, struct buf *out);

/* Yours to free. */
static char *entry_text(const struct audit_options *o, const struct event *e, adder *add)
{
    struct error err;
    struct audit_reader *r = audit_reader_new(o, &err);
    struct audit_fields fields;
    struct buf out = BUF_INIT;

    if (!r || !audit_reader_read(r, e, &fields, &err))
        fail_msg("%s", err.text);
    add(e, &fields, &out);
    audit_reader_free(r);
    return buf_take(&out);
}

/* Yours; fails where it is no JSON. */
static json_t *entry_of(const struct audit_options *o, const char *data)
{
    struct event e = event_with(data);
    struct error err;
    char *text = entry_text(o, &e, audit_entry_add);
    json_t *entry = json_text_parse(text, strlen(text), 64, &err);

    if (!entry)
        fail_msg("%s", err.text);
    free(text);
    return entry;
}

static void assert_at(const json_t *entry, const char *path, const char *wanted)
{
    const json_t *value = json_at(entry, path);

    if (!json_is_string(value))
        fail_msg("no text at %s", path);
    assert_string_equal(json_string_value(value), wanted);
}

static void an_entry_names_who_for_whom_and_what_changed(void **state)
{
    struct audit_options o = options();
    json_t *entry = entry_of(&o, "{\"actor_name\":\"Ada\",\"on_behalf_of\":\"users/9\",\"before\":{\"name\":\"a\"},"
                                 "\"after\":{\"name\":\"b\"},\"x\":1}");

    (void)state;
    assert_at(entry, "action", "user.updated");
    assert_at(entry, "outcome", "success");
    assert_at(entry, "actor.kind", "users");
    assert_at(entry, "actor.id", "1");
    assert_at(entry, "actor.name", "Ada");
    assert_at(entry, "on_behalf_of.kind", "users");
    assert_at(entry, "on_behalf_of.id", "9");
    assert_at(entry, "resource.kind", "users");
    assert_at(entry, "resource.id", "42");
    assert_at(entry, "before.name", "a");
    assert_at(entry, "after.name", "b");
    assert_at(entry, "event.id", "n1");
    assert_int_equal(json_integer_value(json_at(entry, "data.x")), 1);
    assert_null(json_at(entry, "data.before"));
    assert_null(json_at(entry, "data.after"));
    json_decref(entry);
}

static void types_have_other_words_where_the_ini_says_so(void **state)
{
    static char actions[] = "record.*=record.publish user.updated=profile.edit user.*=late";
    struct audit_options o = options();
    json_t *entry;

    (void)state;
    o.actions = actions;
    entry = entry_of(&o, "{}");
    assert_at(entry, "action", "profile.edit");
    json_decref(entry);
}

static void a_deed_of_the_services_own_that_lacks_what_action_asks_for_has_its_type_for_it(void **state)
{
    static char of_data[] = "{data.verb}";
    struct audit_options o = options();
    struct event e = event_with("{}");
    struct audit_fields fields;
    struct audit_reader *r;
    struct error err;

    (void)state;
    o.action = of_data;
    r = audit_reader_new(&o, &err);
    assert_non_null(r);
    assert_false(audit_reader_read(r, &e, &fields, &err));
    assert_int_equal(err.kind, ERROR_INPUT);
    e.type = span_of("crier.dead.dropped");
    assert_true(audit_reader_read(r, &e, &fields, &err));
    assert_true(span_is(fields.action, "crier.dead.dropped"));
    audit_reader_free(r);
}

static void where_a_request_came_from_is_kept_only_where_it_is_asked_for(void **state)
{
    static const char data[] =
        "{\"ip_address\":\"192.0.2.1\",\"user_agent\":\"Firefox\",\"session_id\":\"s1\",\"x\":\"y\"}";
    static char ip[] = "ip session";
    struct audit_options o = options();
    struct event e = event_with(data);
    char *text = entry_text(&o, &e, audit_entry_add);
    json_t *entry;

    (void)state;
    assert_null(strstr(text, "192.0.2.1"));
    assert_null(strstr(text, "Firefox"));
    assert_null(strstr(text, "s1"));
    assert_non_null(strstr(text, "\"data\":{\"x\":\"y\"}"));
    free(text);
    o.request = ip;
    entry = entry_of(&o, data);
    assert_at(entry, "request.ip", "192.0.2.1");
    assert_at(entry, "request.session", "s1");
    assert_null(json_at(entry, "request.user_agent"));
    assert_null(json_at(entry, "data.ip_address"));
    json_decref(entry);
}

static void masked_values_are_in_no_entry(void **state)
{
    static char mask[] = "data.before.email data.*.password data.people.email";
    struct audit_options o = options();
    struct event e = event_with("{\"before\":{\"email\":\"canary1@x\",\"password\":\"canary2\",\"kept\":\"yes\"},"
                                "\"after\":{\"password\":{\"hash\":\"canary3\"},\"email\":null},"
                                "\"people\":[{\"email\":\"canary4@x\"},{\"name\":\"B\"}]}");
    adder *const both[] = {audit_entry_add, audit_entry_add_invenio};

    (void)state;
    o.mask = mask;
    for (size_t i = 0; i < ARRAY_LENGTH(both); i++) {
        char *text = entry_text(&o, &e, both[i]);

        assert_null(strstr(text, "canary"));
        assert_non_null(strstr(text, "\"email\":\"(masked)\",\"password\":\"(masked)\",\"kept\":\"yes\""));
        free(text);
    }
}

/* FT-71: line ends, escapes, texts that run backwards, C1, NEL, line and paragraph separators, a mark of byte order. */
static void nothing_in_an_event_breaks_a_line_or_moves_a_cursor(void **state)
{
    static const char evil[] = "a\\r\\nb\\u001b[2J\\tc\x7f\xc2\x85\xc2\x9b\xe2\x80\xae"
                               "d\xe2\x80\xa8\xe2\x80\xa9\xe2\x81\xa6\xef\xbb\xbf\xd8\x9c";
    struct audit_options o = options();
    struct buf data = BUF_INIT;
    struct event e;
    struct error err;
    json_t *entry, *sent;
    char *text;

    (void)state;
    buf_printf(&data, "{\"x\":\"%s\",\"%s\":1}", evil, evil);
    e = event_with(data.data);
    e.subject = span_of("users/\x1b[31m\n\xe2\x80\xae");
    text = entry_text(&o, &e, audit_entry_add);
    for (const char *c = text; *c; c++)
        assert_true(*c >= 0x20 && *c < 0x7f);
    entry = json_text_parse(text, strlen(text), 64, &err);
    sent = json_text_parse(data.data, data.length, 64, &err);
    assert_non_null(entry);
    assert_true(json_equal(json_object_get(entry, "data"), sent)); /* and says the same */
    json_decref(entry);
    json_decref(sent);
    free(text);
    buf_release(&data);
}

static void a_long_text_is_cut_between_characters_with_a_mark(void **state)
{
    enum { LONG = 1024 * 1024 };
    struct audit_options o = options();
    struct buf data = BUF_INIT;
    json_t *entry;
    const char *cut;

    (void)state;
    o.field_bytes = 101;
    buf_add_text(&data, "{\"list\":[\"");
    for (int i = 0; i < LONG / 2; i++)
        buf_add_text(&data, "\xc3\xa9");
    buf_add_text(&data, "\"],\"after\":{\"short\":\"s\",\"");
    for (int i = 0; i < 300; i++)
        buf_add_char(&data, 'n');
    buf_add_text(&data, "\":1}}");
    entry = entry_of(&o, data.data);
    cut = json_string_value(json_array_get(json_at(entry, "data.list"), 0));
    assert_int_equal(strlen(cut), 100 + strlen("... (1048476 bytes more)"));
    assert_string_equal(cut + 100, "... (1048476 bytes more)");
    assert_at(entry, "after.short", "s");
    assert_int_equal(json_object_size(json_object_get(entry, "after")), 2);
    assert_null(json_object_get(json_object_get(entry, "after"), strstr(data.data, "nnn")));
    json_decref(entry);
    buf_release(&data);
}

static void an_entry_of_many_megabytes_says_what_was_left_out(void **state)
{
    struct audit_options o = options();
    struct buf data = BUF_INIT;
    json_t *entry;

    (void)state;
    buf_add_text(&data, "{\"many\":[1");
    for (int i = 0; i < 3 * 1024 * 1024; i++)
        buf_add_text(&data, ",1");
    buf_add_text(&data, "]}");
    entry = entry_of(&o, data.data);
    assert_true(json_integer_value(json_object_get(entry, "left_out")) > 6 * 1024 * 1024);
    assert_null(json_object_get(entry, "data"));
    assert_at(entry, "event.type", "user.updated");
    json_decref(entry);
    buf_release(&data);
}

static void the_platforms_own_form_is_kept_to_the_byte(void **state)
{
    static char request[] = "ip session";
    struct audit_options o = options();
    struct event e =
        event_with("{\"actor_name\":\"ada\",\"on_behalf_of\":\"users/9\",\"ip_address\":\"192.0.2.1\","
                   "\"session_id\":\"s\",\"before\":{\"a\":1},\"after\":{\"a\":2},\"file_key\":\"a.txt\"}");
    char *text;

    (void)state;
    o.request = request;
    o.form = AUDIT_FORM_INVENIO;
    e.operation = span_of("op-1");
    text = entry_text(&o, &e, audit_entry_add_invenio);
    assert_string_equal(
        text,
        "{\"id\":\"00112233-4455-6677-8899-aabbccddeeff\",\"uuid\":\"00112233-4455-6677-8899-aabbccddeeff\","
        "\"version_id\":1,\"@timestamp\":\"2026-11-20T10:00:00Z\",\"updated\":\"2026-11-20T10:00:00Z\","
        "\"action\":\"user.updated\",\"resource\":{\"id\":\"42\",\"type\":\"users\"},"
        "\"message\":\"user.updated of users/42 by users/1\",\"user\":{\"id\":\"1\",\"username\":\"ada\"},"
        "\"metadata\":{\"outcome\":\"success\",\"revision_id\":7,\"request_id\":\"op-1\",\"ip_address\":\"192.0.2.1\","
        "\"session\":\"s\","
        "\"triggered_by\":{\"id\":\"9\",\"type\":\"users\"},\"before\":{\"a\":1},\"after\":{\"a\":2},"
        "\"file_key\":\"a.txt\",\"data\":{\"actor_name\":\"ada\",\"on_behalf_of\":\"users/9\",\"file_key\":"
        "\"a.txt\"},\"event\":{\"id\":\"n1\",\"source\":\"https://"
        "repository.example.org\",\"type\":\"user.updated\"}}}");
    free(text);
}

static void what_the_keys_must_not_be_is_said(void **state)
{
    static const struct {
        const char *key, *value;
    } bad[] = {
        {"request",    "ip colour"    },
        {"mask",       "before.email" },
        {"mask",       "data."        },
        {"mask",       "data.a..b"    },
        {"actor_name", "data.a data.b"},
        {"actor_name", "data.*"       },
        {"actions",    "user.updated" },
        {"actions",    "=x"           },
        {"actions",    "user.updated="},
    };
    struct error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        for (const struct config_key *key = audit_option_keys; key->name; key++)
            if (strcmp(key->name, bad[i].key) == 0 && key->check(bad[i].value, &err))
                fail_msg("%s = %s is taken", bad[i].key, bad[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_names_who_for_whom_and_what_changed),
        cmocka_unit_test(types_have_other_words_where_the_ini_says_so),
        cmocka_unit_test(a_deed_of_the_services_own_that_lacks_what_action_asks_for_has_its_type_for_it),
        cmocka_unit_test(where_a_request_came_from_is_kept_only_where_it_is_asked_for),
        cmocka_unit_test(masked_values_are_in_no_entry),
        cmocka_unit_test(nothing_in_an_event_breaks_a_line_or_moves_a_cursor),
        cmocka_unit_test(a_long_text_is_cut_between_characters_with_a_mark),
        cmocka_unit_test(an_entry_of_many_megabytes_says_what_was_left_out),
        cmocka_unit_test(the_platforms_own_form_is_kept_to_the_byte),
        cmocka_unit_test(what_the_keys_must_not_be_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
