/* What the steps of a section do to an event: robots, machines, fields, ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "notifier/prepare.h"
#include "support/country_file.h"
#include "support/prepare_stage.h"
#include "support/server.h"

/* ------------------------------------------------------------------------------------------- robots and machines */

static char *list_file(const char *text)
{
    static int count;
    static char path[400];
    FILE *file;

    snprintf(path, sizeof path, "%s/list-%d.txt", test_folder(), count++);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void a_list_of_ones_own_takes_the_place_of_the_one_shipped(void **state)
{
    struct prepare_stage *f = *state;
    struct event_settings es = prepare_section("robots");
    struct prepare *p;

    es.robots_file = list_file("# mine\n#\n# more\r\n^own#thing\r\n#hash\n");
    p = prepare_new(&es, false, f->redis, &f->err);
    assert_non_null(p);
    assert_null(prepare_data(f, p, prepare_today(), "{\"user_agent\":\"OWN#thing/1\"}"));
    assert_null(prepare_data(f, p, prepare_today(), "{\"user_agent\":\"a #Hash\"}"));
    json_decref(prepare_data(f, p, prepare_today(), "{\"user_agent\":\"# mine\"}"));
    prepare_free(p);
}

static void a_list_with_a_mistake_is_refused_with_file_and_line(void **state)
{
    struct prepare_stage *f = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"# comment\nfine\n(open\n", "line 3"          },
        {"a)(b\n",                   "line 1"          },
        {"# only a comment\n",       "holds no pattern"},
        {"",                         "holds no pattern"},
    };
    struct event_settings es = prepare_section("robots");

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        es.robots_file = list_file(cases[i].text);
        assert_null(prepare_new(&es, false, f->redis, &f->err));
        assert_int_equal(f->err.kind, ERROR_CONFIG);
        if (!strstr(f->err.text, cases[i].says) || !strstr(f->err.text, es.robots_file) ||
            !strstr(f->err.text, "[event record-view]"))
            fail_msg("%s", f->err.text);
    }
    es.robots_file = list_file("x\n");
    remove(es.robots_file);
    assert_null(prepare_new(&es, false, f->redis, &f->err));
    assert_non_null(strstr(f->err.text, es.robots_file));
}

static void the_steps_leave_their_marks_and_take_personal_fields_away(void **state)
{
    struct prepare_stage *f = *state;
    struct prepare *p = prepare_steps(f, "robots machines visitor");
    json_t *data =
        prepare_data(f, p, prepare_today(),
                     "{\"recid\":\"r\",\"user_agent\":\"" FIREFOX "\",\"ip_address\":\"192.0.2.1\",\"user_id\":7,"
                     "\"session_id\":\"s\"}");

    assert_true(json_is_false(json_object_get(data, "is_robot")));
    assert_true(json_is_false(json_object_get(data, "is_machine")));
    assert_int_equal(strlen(json_member_text(data, "visitor_id", "")), 32);
    assert_int_equal(strlen(json_member_text(data, "unique_session_id", "")), 32);
    assert_string_equal(json_member_text(data, "recid", ""), "r");
    assert_null(json_object_get(data, "user_agent"));
    assert_null(json_object_get(data, "ip_address"));
    assert_null(json_object_get(data, "user_id"));
    assert_null(json_object_get(data, "session_id"));
    json_decref(data);
    assert_null(prepare_data(f, p, prepare_today(), "{\"user_agent\":\"Googlebot/2.1\",\"user_id\":7}"));
    assert_null(prepare_data(f, p, prepare_today(), "{\"user_agent\":\"\"}"));
    data = prepare_data(f, p, prepare_today(), "{\"user_agent\":null}");
    assert_true(json_is_false(json_object_get(data, "is_robot")));
    json_decref(data);
    prepare_free(p);
}

static void a_machine_is_marked_where_robots_are_not_dropped(void **state)
{
    struct prepare_stage *f = *state;
    struct prepare *p = prepare_steps(f, "machines");
    json_t *data = prepare_data(f, p, prepare_today(), "{\"user_agent\":\"curl/8\"}");

    assert_true(json_is_true(json_object_get(data, "is_machine")));
    assert_null(json_object_get(data, "is_robot"));
    json_decref(data);
    prepare_free(p);
}

static void a_section_without_steps_strips_only_where_people_are_counted(void **state)
{
    struct prepare_stage *f = *state;
    struct event e = prepare_event_at(prepare_today());
    struct event_settings es = prepare_section("");

    for (int strip = 0; strip < 2; strip++) {
        struct prepare *p = prepare_new(&es, strip, f->redis, &f->err);
        json_t *data = json_loads("{\"user_id\":1,\"inner\":{\"user_id\":2}}", 0, NULL);

        assert_int_equal(prepare_apply(p, &e, data, &f->err), PREPARED_KEEP);
        assert_int_equal(json_object_get(data, "user_id") == NULL, strip);
        assert_non_null(json_at(data, "inner.user_id"));
        json_decref(data);
        prepare_free(p);
    }
}

static void steps_that_do_not_exist_are_named(void **state)
{
    struct error err = ERROR_INIT;

    (void)state;
    assert_false(prepare_check("robots visitr", &err));
    assert_non_null(strstr(err.text, "visitr"));
    assert_non_null(strstr(err.text, "perhaps visitor"));
    assert_false(prepare_check("robots robots", &err));
    assert_true(prepare_check("visitor robots machines", &err));
    assert_true(prepare_check("", &err));
}

/* ------------------------------------------------------------------------------------------------ other steps */

static void robots_and_machines_are_dropped_or_flagged_as_their_keys_say(void **state)
{
    struct prepare_stage *f = *state;
    struct event_settings es = prepare_section("robots machines");
    struct prepare *p;

    es.rules = RULES_COPRD;
    es.robots = LIST_FLAG;
    es.machines = LIST_DROP;
    p = prepare_by(f, &es);
    assert_string_equal(prepare_after(f, p, prepare_today(), "{\"user_agent\":\"Googlebot/2.1\"}"),
                        "{\"is_machine\":false,\"is_robot\":true}");
    assert_int_equal(prepare_verdict(f, p, "{\"user_agent\":\"curl/8\"}"), PREPARED_MACHINE);
    prepare_free(p);
    es.rules = RULES_COP51;
    p = prepare_by(f, &es);
    assert_int_equal(prepare_verdict(f, p, "{\"user_agent\":\"curl/8\"}"), PREPARED_MACHINE);
    prepare_free(p);
    es.robots = LIST_DROP;
    p = prepare_by(f, &es);
    assert_int_equal(prepare_verdict(f, p, "{\"user_agent\":\"curl/8\"}"), PREPARED_ROBOT);
    prepare_free(p);
}

static void agents_and_networks_that_are_not_to_be_counted_are_ignored(void **state)
{
    static char networks[] = "192.0.2.0/24 2001:db8::/32";
    struct prepare_stage *f = *state;
    struct event_settings es = prepare_section("ignore");
    struct prepare *p;

    es.ignore_agents_file = list_file("^Own-Monitor\\/\n");
    es.ignore_networks = networks;
    p = prepare_by(f, &es);
    assert_int_equal(prepare_verdict(f, p, "{\"user_agent\":\"own-monitor/2\"}"), PREPARED_IGNORED);
    assert_int_equal(prepare_verdict(f, p, "{\"ip_address\":\"192.0.2.9\"}"), PREPARED_IGNORED);
    assert_int_equal(prepare_verdict(f, p, "{\"ip_address\":\"::ffff:192.0.2.9\"}"), PREPARED_IGNORED);
    assert_int_equal(prepare_verdict(f, p, "{\"ip_address\":\"2001:db8::1\"}"), PREPARED_IGNORED);
    assert_int_equal(prepare_verdict(f, p, "{\"ip_address\":\"198.51.100.1\",\"user_agent\":\"Googlebot\"}"),
                     PREPARED_KEEP);
    assert_int_equal(prepare_verdict(f, p, "{\"ip_address\":7,\"user_agent\":null}"), PREPARED_KEEP);
    prepare_free(p);
}

static void a_download_by_the_files_own_preview_page_is_dropped(void **state)
{
    static const struct {
        const char *referrer;
        bool preview;
    } cases[] = {
        {"https://example.org/records/abc-12/preview/a%20b.pdf",                true },
        {"https://example.org/records/abc-12/preview/a b.pdf",                  true },
        {"https://example.org/records/abc-12/preview/a%20b.pdf?preview=1",      true },
        {"https://example.org/repo/records/abc-12/preview/a%20b.pdf?x=/y#page", true },
        {"https://example.org/records/abc-12/preview/other.pdf",                false},
        {"https://example.org/records/abc-12/preview/xa%20b.pdf",               false},
        {"https://example.org/records/xabc-12/preview/a%20b.pdf",               false},
        {"https://example.org/records/abc-12",                                  false},
        {"https://example.org/?u=/records/abc-12/preview/a%20b.pdf",            false},
        {"https://example.org",                                                 false},
        {"/records/abc-12/preview/a%20b.pdf",                                   false},
        {"",                                                                    false},
    };
    struct prepare_stage *f = *state;
    struct prepare *p = prepare_steps(f, "previews");
    char text[300];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        snprintf(text, sizeof text, "{\"recid\":\"abc-12\",\"file_key\":\"a b.pdf\",\"referrer\":\"%s\"}",
                 cases[i].referrer);
        if ((prepare_verdict(f, p, text) == PREPARED_PREVIEW) != cases[i].preview)
            fail_msg("%s", cases[i].referrer);
    }
    assert_int_equal(prepare_verdict(f, p, "{\"referrer\":\"https://example.org/records//preview/\"}"), PREPARED_KEEP);
    assert_int_equal(prepare_verdict(f, p, "{\"referrer\":null,\"recid\":\"a\",\"file_key\":\"b\"}"), PREPARED_KEEP);
    prepare_free(p);
}

static void a_country_is_told_of_an_address_or_null(void **state)
{
    static const struct country_row rows[] = {
        {"::192.0.2.0/120", "CH"}
    };
    static char path[400];
    struct prepare_stage *f = *state;
    struct event_settings es = prepare_section("country");
    struct prepare *p = prepare_by(f, &es);

    assert_string_equal(prepare_after(f, p, prepare_today(), "{\"ip_address\":\"192.0.2.1\"}"), "{\"country\":null}");
    prepare_free(p);
    snprintf(path, sizeof path, "%s/country.mmdb", test_folder());
    country_file_write(path, rows, ARRAY_LENGTH(rows));
    es.country_file = path;
    assert_true(prepare_files_check(&es, &f->err));
    p = prepare_by(f, &es);
    assert_string_equal(prepare_after(f, p, prepare_today(), "{\"ip_address\":\"::ffff:192.0.2.1\"}"),
                        "{\"country\":\"CH\"}");
    assert_string_equal(prepare_after(f, p, prepare_today(), "{\"ip_address\":\"10.0.0.1\"}"), "{\"country\":null}");
    assert_string_equal(prepare_after(f, p, prepare_today(), "{\"ip_address\":\"\"}"), "{}");
    assert_string_equal(prepare_after(f, p, prepare_today(), "{\"country\":\"FR\"}"), "{\"country\":\"FR\"}");
    prepare_free(p);
    remove(path);
    assert_false(prepare_files_check(&es, &f->err));
    assert_non_null(strstr(f->err.text, path));
}

static void via_api_becomes_a_truth_value(void **state)
{
    static const struct {
        const char *before;
        bool truth;
    } cases[] = {
        {"{}",                      false},
        {"{\"via_api\":true}",      true },
        {"{\"via_api\":false}",     false},
        {"{\"via_api\":null}",      false},
        {"{\"via_api\":1}",         true },
        {"{\"via_api\":0}",         false},
        {"{\"via_api\":\"yes\"}",   true },
        {"{\"via_api\":\"False\"}", false},
        {"{\"via_api\":\"\"}",      false},
    };
    struct prepare_stage *f = *state;
    struct prepare *p = prepare_steps(f, "via-api");

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_string_equal(prepare_after(f, p, prepare_today(), cases[i].before),
                            cases[i].truth ? "{\"via_api\":true}" : "{\"via_api\":false}");
    prepare_free(p);
}

static void things_get_the_unique_ids_of_the_reference(void **state)
{
    struct prepare_stage *f = *state;
    struct prepare *record = prepare_steps(f, "record-id"), *file = prepare_steps(f, "file-id");
    json_t *data = prepare_data(f, record, prepare_today(), "{\"recid\":\"abc-12\"}");

    assert_string_equal(json_member_text(data, "unique_id", ""), "ui_abc-12");
    json_decref(data);
    data = prepare_data(f, record, prepare_today(), "{\"recid\":17,\"via_api\":true}");
    assert_string_equal(json_member_text(data, "unique_id", ""), "api_17");
    json_decref(data);
    data = prepare_data(f, file, prepare_today(), "{\"bucket_id\":\"b-1\",\"file_id\":\"f-2\"}");
    assert_string_equal(json_member_text(data, "unique_id", ""), "b-1_f-2");
    json_decref(data);
    assert_int_equal(prepare_verdict(f, record, "{\"recid\":\"\"}"), PREPARED_FAILED);
    assert_int_equal(f->err.kind, ERROR_INPUT);
    assert_non_null(strstr(f->err.text, "data.recid"));
    assert_int_equal(prepare_verdict(f, file, "{\"bucket_id\":\"b\",\"file_id\":[1]}"), PREPARED_FAILED);
    assert_non_null(strstr(f->err.text, "data.file_id"));
    prepare_free(record);
    prepare_free(file);
}

static void a_timestamp_is_utc_to_the_second_without_zone(void **state)
{
    struct prepare_stage *f = *state;
    struct prepare *p = prepare_steps(f, "timestamp");

    assert_string_equal(prepare_after(f, p, "2024-03-01T00:30:00.999999+01:00", "{\"timestamp\":\"x\"}"),
                        "{\"timestamp\":\"2024-02-29T23:30:00\"}");
    prepare_free(p);
}

static void only_the_fields_named_are_kept_and_the_class_when_wanted(void **state)
{
    static char fields[] = "recid is_robot user_agent";
    struct prepare_stage *f = *state;
    struct event_settings es = prepare_section("robots");
    struct prepare *p;

    es.fields = fields;
    p = prepare_by(f, &es);
    assert_string_equal(
        prepare_after(f, p, prepare_today(), "{\"recid\":\"r\",\"x\":1,\"user_agent\":\"" FIREFOX "\"}"),
        "{\"is_robot\":false,\"recid\":\"r\"}");
    prepare_free(p);
    es.agent_class = true;
    p = prepare_by(f, &es);
    assert_string_equal(prepare_after(f, p, prepare_today(), "{\"x\":1,\"user_agent\":\"" FIREFOX "\"}"),
                        "{\"agent_class\":\"Mozilla Gecko Firefox\",\"is_robot\":false}");
    assert_string_equal(prepare_after(f, p, prepare_today(), "{\"x\":1}"), "{\"is_robot\":false}");
    prepare_free(p);
}

#define WITH_REDIS(name) cmocka_unit_test_setup_teardown(name, prepare_stage_open, prepare_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(a_list_of_ones_own_takes_the_place_of_the_one_shipped),
        WITH_REDIS(a_list_with_a_mistake_is_refused_with_file_and_line),
        WITH_REDIS(the_steps_leave_their_marks_and_take_personal_fields_away),
        WITH_REDIS(a_machine_is_marked_where_robots_are_not_dropped),
        WITH_REDIS(a_section_without_steps_strips_only_where_people_are_counted),
        cmocka_unit_test(steps_that_do_not_exist_are_named),
        WITH_REDIS(robots_and_machines_are_dropped_or_flagged_as_their_keys_say),
        WITH_REDIS(agents_and_networks_that_are_not_to_be_counted_are_ignored),
        WITH_REDIS(a_download_by_the_files_own_preview_page_is_dropped),
        WITH_REDIS(a_country_is_told_of_an_address_or_null),
        WITH_REDIS(via_api_becomes_a_truth_value),
        WITH_REDIS(things_get_the_unique_ids_of_the_reference),
        WITH_REDIS(a_timestamp_is_utc_to_the_second_without_zone),
        WITH_REDIS(only_the_fields_named_are_kept_and_the_class_when_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
