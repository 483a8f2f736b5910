#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/hmac.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "notifier/prepare.h"
#include "notifier/salt.h"
#include "notifier/visitor.h"
#include "support/country_file.h"
#include "support/server.h"

#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
#define DAY_US  (INT64_C(86400) * US_PER_SECOND)

struct fixture {
    struct server *server;
    struct redis_address address;
    struct redis *redis;
    struct arena *arena;
    struct error err;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);

    f->server = redis_server_start(NULL);
    assert_true(redis_address_parse(redis_server_url(f->server), &f->address, &f->err));
    f->redis = redis_new(&(struct redis_options){.address = &f->address, .timeout_ms = 2000});
    f->arena = arena_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_free(f->arena);
    redis_free(f->redis);
    redis_address_release(&f->address);
    server_free(f->server);
    free(f);
    return 0;
}

/* A section with these steps, and the lists that ship with crier. */
static struct event_settings section(const char *steps)
{
    static char none[] = "", type[] = "record-view", text[100];

    snprintf(text, sizeof text, "%s", steps);
    return (struct event_settings){.type = type,
                                   .prepare = text,
                                   .fields = none,
                                   .unique = none,
                                   .clicks = none,
                                   .robots_file = none,
                                   .robots_except_file = none,
                                   .machines_file = none,
                                   .country_file = none,
                                   .ignore_agents_file = none,
                                   .ignore_networks = none,
                                   .robots = LIST_DROP,
                                   .machines = LIST_FLAG};
}

static struct prepare *prepare_by(struct fixture *f, const struct event_settings *es)
{
    struct prepare *p = prepare_new(es, false, f->redis, &f->err);

    if (!p)
        fail_msg("%s", f->err.text);
    return p;
}

static struct prepare *prepare(struct fixture *f, const char *steps)
{
    static struct event_settings es; /* lent to the preparation */

    es = section(steps);
    return prepare_by(f, &es);
}

static struct event event_at(const char *time)
{
    struct event e = event_none;

    e.type = span_of("record-view");
    e.time = span_of(time);
    assert_true(time_parse(time, strlen(time), false, &e.time_us));
    return e;
}

/* The data after the steps; NULL where it was a robot's. Caller's. */
static json_t *prepared(struct fixture *f, struct prepare *p, const char *time, const char *text)
{
    struct event e = event_at(time);
    json_t *data = json_loads(text, 0, NULL);
    enum prepared verdict;

    assert_non_null(data);
    verdict = prepare_apply(p, &e, data, &f->err);
    if (verdict == PREPARED_FAILED)
        fail_msg("%s", f->err.text);
    if (verdict == PREPARED_KEEP)
        return data;
    json_decref(data);
    return NULL;
}

static enum prepared verdict_on(struct fixture *f, struct prepare *p, const char *text)
{
    struct event e = event_at("2026-11-20T10:15:00Z");
    json_t *data = json_loads(text, 0, NULL);
    enum prepared verdict;

    assert_non_null(data);
    verdict = prepare_apply(p, &e, data, &f->err);
    json_decref(data);
    return verdict;
}

/* The data after the steps as text with its keys sorted; lent until the next call. */
static const char *after(struct fixture *f, struct prepare *p, const char *time, const char *text)
{
    static struct buf out = BUF_INIT;
    json_t *data = prepared(f, p, time, text);

    buf_release(&out);
    assert_non_null(data);
    json_add_sorted(&out, data);
    json_decref(data);
    return out.data;
}

static const char *today(void)
{
    static char text[TIME_TEXT_BYTES];

    return time_text(clock_wall_us() / DAY_US * DAY_US + 12 * 3600 * US_PER_SECOND, text);
}

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
    struct fixture *f = *state;
    struct event_settings es = section("robots");
    struct prepare *p;

    es.robots_file = list_file("# mine\n#\n# more\r\n^own#thing\r\n#hash\n");
    p = prepare_new(&es, false, f->redis, &f->err);
    assert_non_null(p);
    assert_null(prepared(f, p, today(), "{\"user_agent\":\"OWN#thing/1\"}"));
    assert_null(prepared(f, p, today(), "{\"user_agent\":\"a #Hash\"}"));
    json_decref(prepared(f, p, today(), "{\"user_agent\":\"# mine\"}"));
    prepare_free(p);
}

static void a_list_with_a_mistake_is_refused_with_file_and_line(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"# comment\nfine\n(open\n", "line 3"          },
        {"a)(b\n",                   "line 1"          },
        {"# only a comment\n",       "holds no pattern"},
        {"",                         "holds no pattern"},
    };
    struct event_settings es = section("robots");

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
    struct fixture *f = *state;
    struct prepare *p = prepare(f, "robots machines visitor");
    json_t *data =
        prepared(f, p, today(),
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
    assert_null(prepared(f, p, today(), "{\"user_agent\":\"Googlebot/2.1\",\"user_id\":7}"));
    assert_null(prepared(f, p, today(), "{\"user_agent\":\"\"}"));
    data = prepared(f, p, today(), "{\"user_agent\":null}");
    assert_true(json_is_false(json_object_get(data, "is_robot")));
    json_decref(data);
    prepare_free(p);
}

static void a_machine_is_marked_where_robots_are_not_dropped(void **state)
{
    struct fixture *f = *state;
    struct prepare *p = prepare(f, "machines");
    json_t *data = prepared(f, p, today(), "{\"user_agent\":\"curl/8\"}");

    assert_true(json_is_true(json_object_get(data, "is_machine")));
    assert_null(json_object_get(data, "is_robot"));
    json_decref(data);
    prepare_free(p);
}

static void a_section_without_steps_strips_only_where_people_are_counted(void **state)
{
    struct fixture *f = *state;
    struct event e = event_at(today());
    struct event_settings es = section("");

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
    struct fixture *f = *state;
    struct event_settings es = section("robots machines");
    struct prepare *p;

    es.rules = RULES_COPRD;
    es.robots = LIST_FLAG;
    es.machines = LIST_DROP;
    p = prepare_by(f, &es);
    assert_string_equal(after(f, p, today(), "{\"user_agent\":\"Googlebot/2.1\"}"),
                        "{\"is_machine\":false,\"is_robot\":true}");
    assert_int_equal(verdict_on(f, p, "{\"user_agent\":\"curl/8\"}"), PREPARED_MACHINE);
    prepare_free(p);
    es.rules = RULES_COP51;
    p = prepare_by(f, &es);
    assert_int_equal(verdict_on(f, p, "{\"user_agent\":\"curl/8\"}"), PREPARED_MACHINE);
    prepare_free(p);
    es.robots = LIST_DROP;
    p = prepare_by(f, &es);
    assert_int_equal(verdict_on(f, p, "{\"user_agent\":\"curl/8\"}"), PREPARED_ROBOT);
    prepare_free(p);
}

static void agents_and_networks_that_are_not_to_be_counted_are_ignored(void **state)
{
    static char networks[] = "192.0.2.0/24 2001:db8::/32";
    struct fixture *f = *state;
    struct event_settings es = section("ignore");
    struct prepare *p;

    es.ignore_agents_file = list_file("^Own-Monitor\\/\n");
    es.ignore_networks = networks;
    p = prepare_by(f, &es);
    assert_int_equal(verdict_on(f, p, "{\"user_agent\":\"own-monitor/2\"}"), PREPARED_IGNORED);
    assert_int_equal(verdict_on(f, p, "{\"ip_address\":\"192.0.2.9\"}"), PREPARED_IGNORED);
    assert_int_equal(verdict_on(f, p, "{\"ip_address\":\"::ffff:192.0.2.9\"}"), PREPARED_IGNORED);
    assert_int_equal(verdict_on(f, p, "{\"ip_address\":\"2001:db8::1\"}"), PREPARED_IGNORED);
    assert_int_equal(verdict_on(f, p, "{\"ip_address\":\"198.51.100.1\",\"user_agent\":\"Googlebot\"}"), PREPARED_KEEP);
    assert_int_equal(verdict_on(f, p, "{\"ip_address\":7,\"user_agent\":null}"), PREPARED_KEEP);
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
    struct fixture *f = *state;
    struct prepare *p = prepare(f, "previews");
    char text[300];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        snprintf(text, sizeof text, "{\"recid\":\"abc-12\",\"file_key\":\"a b.pdf\",\"referrer\":\"%s\"}",
                 cases[i].referrer);
        if ((verdict_on(f, p, text) == PREPARED_PREVIEW) != cases[i].preview)
            fail_msg("%s", cases[i].referrer);
    }
    assert_int_equal(verdict_on(f, p, "{\"referrer\":\"https://example.org/records//preview/\"}"), PREPARED_KEEP);
    assert_int_equal(verdict_on(f, p, "{\"referrer\":null,\"recid\":\"a\",\"file_key\":\"b\"}"), PREPARED_KEEP);
    prepare_free(p);
}

static void a_country_is_told_of_an_address_or_null(void **state)
{
    static const struct country_row rows[] = {
        {"::192.0.2.0/120", "CH"}
    };
    static char path[400];
    struct fixture *f = *state;
    struct event_settings es = section("country");
    struct prepare *p = prepare_by(f, &es);

    assert_string_equal(after(f, p, today(), "{\"ip_address\":\"192.0.2.1\"}"), "{\"country\":null}");
    prepare_free(p);
    snprintf(path, sizeof path, "%s/country.mmdb", test_folder());
    country_file_write(path, rows, ARRAY_LENGTH(rows));
    es.country_file = path;
    assert_true(prepare_files_check(&es, &f->err));
    p = prepare_by(f, &es);
    assert_string_equal(after(f, p, today(), "{\"ip_address\":\"::ffff:192.0.2.1\"}"), "{\"country\":\"CH\"}");
    assert_string_equal(after(f, p, today(), "{\"ip_address\":\"10.0.0.1\"}"), "{\"country\":null}");
    assert_string_equal(after(f, p, today(), "{\"ip_address\":\"\"}"), "{}");
    assert_string_equal(after(f, p, today(), "{\"country\":\"FR\"}"), "{\"country\":\"FR\"}");
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
    struct fixture *f = *state;
    struct prepare *p = prepare(f, "via-api");

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_string_equal(after(f, p, today(), cases[i].before),
                            cases[i].truth ? "{\"via_api\":true}" : "{\"via_api\":false}");
    prepare_free(p);
}

static void things_get_the_unique_ids_of_the_reference(void **state)
{
    struct fixture *f = *state;
    struct prepare *record = prepare(f, "record-id"), *file = prepare(f, "file-id");
    json_t *data = prepared(f, record, today(), "{\"recid\":\"abc-12\"}");

    assert_string_equal(json_member_text(data, "unique_id", ""), "ui_abc-12");
    json_decref(data);
    data = prepared(f, record, today(), "{\"recid\":17,\"via_api\":true}");
    assert_string_equal(json_member_text(data, "unique_id", ""), "api_17");
    json_decref(data);
    data = prepared(f, file, today(), "{\"bucket_id\":\"b-1\",\"file_id\":\"f-2\"}");
    assert_string_equal(json_member_text(data, "unique_id", ""), "b-1_f-2");
    json_decref(data);
    assert_int_equal(verdict_on(f, record, "{\"recid\":\"\"}"), PREPARED_FAILED);
    assert_int_equal(f->err.kind, ERROR_INPUT);
    assert_non_null(strstr(f->err.text, "data.recid"));
    assert_int_equal(verdict_on(f, file, "{\"bucket_id\":\"b\",\"file_id\":[1]}"), PREPARED_FAILED);
    assert_non_null(strstr(f->err.text, "data.file_id"));
    prepare_free(record);
    prepare_free(file);
}

static void a_timestamp_is_utc_to_the_second_without_zone(void **state)
{
    struct fixture *f = *state;
    struct prepare *p = prepare(f, "timestamp");

    assert_string_equal(after(f, p, "2024-03-01T00:30:00.999999+01:00", "{\"timestamp\":\"x\"}"),
                        "{\"timestamp\":\"2024-02-29T23:30:00\"}");
    prepare_free(p);
}

static void only_the_fields_named_are_kept_and_the_class_when_wanted(void **state)
{
    static char fields[] = "recid is_robot user_agent";
    struct fixture *f = *state;
    struct event_settings es = section("robots");
    struct prepare *p;

    es.fields = fields;
    p = prepare_by(f, &es);
    assert_string_equal(after(f, p, today(), "{\"recid\":\"r\",\"x\":1,\"user_agent\":\"" FIREFOX "\"}"),
                        "{\"is_robot\":false,\"recid\":\"r\"}");
    prepare_free(p);
    es.agent_class = true;
    p = prepare_by(f, &es);
    assert_string_equal(after(f, p, today(), "{\"x\":1,\"user_agent\":\"" FIREFOX "\"}"),
                        "{\"agent_class\":\"Mozilla Gecko Firefox\",\"is_robot\":false}");
    assert_string_equal(after(f, p, today(), "{\"x\":1}"), "{\"is_robot\":false}");
    prepare_free(p);
}

/* ----------------------------------------------------------------------------------------------------- visitors */

struct ids {
    char visitor[64], session[64];
};

static struct ids ids_of(struct fixture *f, struct prepare *p, const char *time, const char *text)
{
    json_t *data = prepared(f, p, time, text);
    struct ids ids;

    assert_non_null(data);
    snprintf(ids.visitor, sizeof ids.visitor, "%s", json_member_text(data, "visitor_id", "absent"));
    snprintf(ids.session, sizeof ids.session, "%s", json_member_text(data, "unique_session_id", "absent"));
    json_decref(data);
    return ids;
}

static void a_visitor_is_known_by_user_then_session_then_address(void **state)
{
    struct fixture *f = *state;
    struct prepare *p = prepare(f, "visitor");
    const char *at = "2026-11-20T10:15:00Z", *later = "2026-11-20T11:15:00Z";
    struct ids user = ids_of(f, p, at, "{\"user_id\":\"1\",\"session_id\":\"s\"}");
    struct ids number = ids_of(f, p, at, "{\"user_id\":1}");
    struct ids user_later = ids_of(f, p, later, "{\"user_id\":1}");
    struct ids session = ids_of(f, p, at, "{\"session_id\":\"1\",\"ip_address\":\"a\",\"user_agent\":\"b\"}");
    struct ids address = ids_of(f, p, at, "{\"ip_address\":\"a\",\"user_agent\":\"b\",\"user_id\":null}");
    struct ids address_again = ids_of(f, p, "2026-11-20T10:59:59Z", "{\"ip_address\":\"a\",\"user_agent\":\"b\"}");
    struct ids address_later = ids_of(f, p, later, "{\"ip_address\":\"a\",\"user_agent\":\"b\"}");
    struct ids nobody = ids_of(f, p, at, "{\"ip_address\":\"a\",\"session_id\":\"\"}");

    assert_string_equal(user.visitor, number.visitor);
    assert_string_equal(user.session, number.session);
    assert_string_not_equal(user.visitor, user.session);
    assert_string_equal(user.visitor, user_later.visitor);
    assert_string_not_equal(user.session, user_later.session);
    assert_string_not_equal(user.visitor, session.visitor); /* a user id is no session id, though both are "1" */
    assert_string_equal(address.visitor, address.session);
    assert_string_equal(address.visitor, address_again.visitor);
    assert_string_not_equal(address.visitor, address_later.visitor);
    assert_string_equal(nobody.visitor, "");
    assert_string_equal(nobody.session, "");
    prepare_free(p);
}

/* From the tests of invenio-stats, with the salt "test-salt". */
static void the_references_visitors_have_its_ids(void **state)
{
    static const struct {
        const char *time, *data, *visitor, *session;
    } cases[] = {
        {"2018-01-01T12:00:00Z",
         "{\"user_id\":\"100\",\"session_id\":\"foo\",\"ip_address\":\"x\",\"user_agent\":\"bar\"}",              "eaf6a44a598ea63c659e6e46722e2d11d0d7487694ec504ade273b9d",
         "c6b85f117cd0636a07f1cf250a30d86714ec45e55a1110441d1a9e2b"                                                                                                                                                                     },
        {"2018-01-01T15:59:59.9Z", "{\"user_id\":100}",                                                           "eaf6a44a598ea63c659e6e46722e2d11d0d7487694ec504ade273b9d",
         "77536991d991e6e8251999fc6a8d78ec1be42847da3c8774221a03a0"                                                                                                                                                                     },
        {"2018-01-01T12:00:00Z",
         "{\"user_id\":null,\"session_id\":\"foo\",\"ip_address\":\"x\",\"user_agent\":\"bar\"}",                 "a78cc092c88fb4d060a873217f2cd466c2776f672a99ee06317c2858",
         "ca28702a6ece34d18c6f6498ef79d77492a6bd653ac886beb5018880"                                                                                                                                                                     },
        {"2018-01-01T12:00:00Z",   "{\"user_id\":\"\",\"ip_address\":\"188.184.37.205\",\"user_agent\":\"bar\"}",
         "e9c48686d21c21a9ee5b9eba58b1d86c9460272809b6de71649f6ce7",                                                                                                          "e9c48686d21c21a9ee5b9eba58b1d86c9460272809b6de71649f6ce7"},
        {"2018-01-01T12:00:00Z",   "{\"ip_address\":\"188.184.37.205\"}",
         "1850abef504ce64cb6b38fa60fe8f90aede1d2d2e9013735554af946",                                                                                                          "1850abef504ce64cb6b38fa60fe8f90aede1d2d2e9013735554af946"},
        {"2018-01-01T12:00:00Z",   "{\"user_agent\":\"bar\"}",                                                    "1850abef504ce64cb6b38fa60fe8f90aede1d2d2e9013735554af946",
         "1850abef504ce64cb6b38fa60fe8f90aede1d2d2e9013735554af946"                                                                                                                                                                     },
    };
    struct visitor *v = visitor_new(NULL, VISITOR_REFERENCE);

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct event e = event_at(cases[i].time);
        json_t *data = json_loads(cases[i].data, 0, NULL);

        visitor_set_reference(v, "test-salt", e.time_us, data);
        assert_string_equal(json_member_text(data, "visitor_id", ""), cases[i].visitor);
        assert_string_equal(json_member_text(data, "unique_session_id", ""), cases[i].session);
        json_decref(data);
    }
    visitor_free(v);
}

static void the_reference_hashes_with_the_salt_that_redis_keeps(void **state)
{
    struct fixture *f = *state;
    struct event_settings es = section("visitor");
    struct visitor *v = visitor_new(NULL, VISITOR_REFERENCE);
    const struct reply *salt;
    struct event e = event_at("2026-11-20T10:15:00Z");
    json_t *data = json_pack("{s:s}", "user_id", "7");
    struct prepare *p;
    struct ids ids;

    es.visitor = VISITOR_REFERENCE;
    p = prepare_by(f, &es);
    ids = ids_of(f, p, "2026-11-20T10:15:00Z", "{\"user_id\":7}");
    assert_true(redis_do(f->redis, f->arena, &salt, &f->err, "GET crier:{salt}:2026-11-20"));
    visitor_set_reference(v, salt->text, e.time_us, data);
    assert_string_equal(json_member_text(data, "visitor_id", ""), ids.visitor);
    assert_string_equal(json_member_text(data, "unique_session_id", ""), ids.session);
    json_decref(data);
    visitor_free(v);
    prepare_free(p);
}

static void two_preparations_know_a_visitor_alike_within_a_day_only(void **state)
{
    struct fixture *f = *state;
    struct prepare *a = prepare(f, "visitor"), *b = prepare(f, "visitor");
    struct ids first = ids_of(f, a, "2026-11-20T00:00:00Z", "{\"user_id\":1}");
    struct ids second = ids_of(f, b, "2026-11-20T23:59:59.999999Z", "{\"user_id\":1}");
    struct ids next_day = ids_of(f, b, "2026-11-21T00:00:00Z", "{\"user_id\":1}");

    assert_string_equal(first.visitor, second.visitor);
    assert_string_not_equal(first.visitor, next_day.visitor);
    prepare_free(a);
    prepare_free(b);
}

/* ------------------------------------------------------------------------------------------------------- salts */

static void hash_with(struct keyed_hash *hash, char out[ID_TEXT_BYTES])
{
    assert_non_null(hash);
    keyed_hash_id(hash, "x", 1, out);
}

static void a_keyed_hash_is_hmac_sha_256_each_time(void **state)
{
    unsigned char key[32] = {1, 2, 3};
    struct keyed_hash *hash = keyed_hash_new(key, sizeof key);
    char once[ID_TEXT_BYTES], again[ID_TEXT_BYTES];
    unsigned char all[EVP_MAX_MD_SIZE];

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_non_null(HMAC(EVP_sha256(), key, (int)sizeof key, (const unsigned char *)"message", 7, all, NULL));
        hash_hex(all, ID_BYTES, once);
        keyed_hash_id(hash, "message", 7, again);
        assert_string_equal(once, again);
    }
    keyed_hash_free(hash);
}

struct racer {
    pthread_t thread;
    pthread_barrier_t *start;
    const struct redis_address *address;
    char id[ID_TEXT_BYTES];
};

static void *race(void *context)
{
    struct racer *r = context;
    struct redis *redis = redis_new(&(struct redis_options){.address = r->address, .timeout_ms = 5000});
    struct salt *salt = salt_new(redis);
    struct error err = ERROR_INIT;
    struct keyed_hash *hash;

    pthread_barrier_wait(r->start);
    hash = salt_of(salt, clock_wall_us(), &err);
    if (hash)
        keyed_hash_id(hash, "x", 1, r->id);
    salt_free(salt);
    redis_free(redis);
    return NULL;
}

static void threads_that_race_for_the_days_salt_get_the_same(void **state)
{
    enum { RACERS = 16 };
    struct fixture *f = *state;
    struct racer racers[RACERS];
    pthread_barrier_t start;

    pthread_barrier_init(&start, NULL, RACERS);
    for (int i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.start = &start, .address = &f->address};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++)
        pthread_join(racers[i].thread, NULL);
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(strlen(racers[i].id), ID_TEXT_BYTES - 1);
        assert_string_equal(racers[i].id, racers[0].id);
    }
    pthread_barrier_destroy(&start);
}

static const char *wanted;
static bool seen;

static int look_into(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;

    (void)status;
    (void)walk;
    if (kind == FTW_F && file_read(path, 16 * 1024 * 1024, &text, &err))
        seen = seen || memmem(text.data, text.length, wanted, strlen(wanted));
    buf_release(&text);
    return 0;
}

static bool folder_holds(const char *folder, const char *text)
{
    wanted = text;
    seen = false;
    nftw(folder, look_into, 16, FTW_PHYS);
    return seen;
}

static int64_t life_s(struct fixture *f, int64_t time_us)
{
    const struct reply *reply;
    char date[20];

    time_format(time_us, "%Y-%m-%d", date, sizeof date);
    assert_true(redis_do(f->redis, f->arena, &reply, &f->err, "TTL crier:{salt}:%s", date));
    return reply->integer;
}

static void a_salt_outlives_the_next_day_and_is_gone_after_48_hours(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);
    int64_t now = clock_wall_us(), two_days = 2 * 86400;
    int64_t second_midnight = two_days - now / US_PER_SECOND % 86400;

    assert_non_null(salt_of(salt, now, &f->err));
    assert_in_range(life_s(f, now), second_midnight - 5, second_midnight);
    assert_non_null(salt_of(salt, now - DAY_US, &f->err));
    assert_in_range(life_s(f, now - DAY_US), second_midnight - 5, second_midnight);
    assert_non_null(salt_of(salt, now - 40 * DAY_US, &f->err));
    assert_in_range(life_s(f, now - 40 * DAY_US), second_midnight - 5, second_midnight);
    assert_non_null(salt_of(salt, now + DAY_US, &f->err));
    assert_in_range(life_s(f, now + DAY_US), two_days - 5, two_days);
    assert_non_null(salt_of(salt, now + 4000 * DAY_US, &f->err));
    assert_in_range(life_s(f, now + 4000 * DAY_US), two_days - 5, two_days);
    salt_free(salt);
}

/* The salt of the day before yesterday, expired as its time would have it; its text is in old. */
static void expire_old_salt(struct fixture *f, int64_t now, char old[100])
{
    struct salt *salt = salt_new(f->redis);
    const struct reply *reply;
    char date[20];

    snprintf(old, 100, "%s", salt_text_of(salt, now - 2 * DAY_US, &f->err));
    time_format(now - 2 * DAY_US, "%Y-%m-%d", date, sizeof date);
    assert_true(folder_holds(server_folder(f->server), old));
    assert_true(redis_do(f->redis, f->arena, &reply, &f->err, "PEXPIREAT crier:{salt}:%s %lld", date,
                         (long long)(now / 1000 + 300)));
    while (clock_wall_us() / 1000 <= now / 1000 + 300)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    salt_free(salt);
}

static void until_gone(struct fixture *f, const char *old)
{
    int64_t until_ms = clock_monotonic_ms() + 20000;

    while (folder_holds(server_folder(f->server), old)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the salt is still in Redis's files");
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
}

/* As on a day on which nobody asked yet. */
static void begin_day(struct fixture *f)
{
    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "DEL crier:{salt}:purged"));
}

/* What would be left after 48 h: nothing that does not expire, and nothing in Redis's own file once it is rewritten. */
static void no_salt_is_left_when_its_time_is_over(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);
    int64_t now = clock_wall_us();
    char old[100];

    expire_old_salt(f, now, old);
    begin_day(f);
    assert_non_null(salt_of(salt, clock_wall_us(), &f->err)); /* whoever asks first has the file rewritten */
    until_gone(f, old);
    salt_free(salt);
}

/* A platform whose clock is fast asks for the next day's salt before midnight, day after day. */
static void no_salt_is_left_where_todays_was_made_the_day_before(void **state)
{
    struct fixture *f = *state;
    struct salt *yesterday = salt_new(f->redis), *today = salt_new(f->redis);
    int64_t now = clock_wall_us();
    char old[100];

    assert_non_null(salt_of(yesterday, now, &f->err));
    expire_old_salt(f, now, old);
    begin_day(f);
    assert_non_null(salt_of(today, clock_wall_us(), &f->err));
    until_gone(f, old);
    salt_free(yesterday);
    salt_free(today);
}

/* On another day everything is found by the ids the events were given; who asks the door again gets another visitor. */
static void a_visitor_cannot_be_recognised_once_the_salt_is_gone(void **state)
{
    struct fixture *f = *state;
    struct prepare *p = prepare(f, "visitor"), *after_restart;
    struct ids first = ids_of(f, p, "2026-11-18T10:00:00Z", "{\"user_id\":1}"), again, gone;

    again = ids_of(f, p, "2026-11-18T23:00:00Z", "{\"user_id\":1}");
    assert_string_equal(first.visitor, again.visitor);
    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "DEL crier:{salt}:2026-11-18"));
    prepare_free(p);
    after_restart = prepare(f, "visitor");
    gone = ids_of(f, after_restart, "2026-11-18T10:00:00Z", "{\"user_id\":1}");
    assert_string_not_equal(first.visitor, gone.visitor);
    prepare_free(after_restart);
}

static void a_salt_is_a_secret_of_256_bits(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);
    const struct reply *one, *other;
    char date[20];

    assert_non_null(salt_of(salt, 0, &f->err));
    assert_non_null(salt_of(salt, DAY_US, &f->err));
    time_format(0, "%Y-%m-%d", date, sizeof date);
    assert_true(redis_do(f->redis, f->arena, &one, &f->err, "GET crier:{salt}:%s", date));
    assert_true(redis_do(f->redis, f->arena, &other, &f->err, "GET crier:{salt}:1970-01-02"));
    assert_int_equal(one->length, 64);
    assert_int_equal(strspn(one->text, "0123456789abcdef"), 64);
    assert_string_not_equal(one->text, other->text);
    salt_free(salt);
}

static void days_that_share_a_place_in_memory_keep_their_own_salts(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);
    char first[ID_TEXT_BYTES], other[ID_TEXT_BYTES], again[ID_TEXT_BYTES];

    hash_with(salt_of(salt, 0, &f->err), first);
    hash_with(salt_of(salt, 32 * DAY_US, &f->err), other);
    hash_with(salt_of(salt, 0, &f->err), again);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    salt_free(salt);
}

static void without_redis_there_is_no_salt_but_an_error_that_time_heals(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);
    struct prepare *p = prepare(f, "visitor");
    struct event e = event_at(today());
    json_t *data = json_loads("{\"user_id\":\"canary\"}", 0, NULL);

    server_kill(f->server);
    assert_null(salt_of(salt, clock_wall_us(), &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_int_equal(prepare_apply(p, &e, data, &f->err), PREPARED_FAILED);
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_null(strstr(f->err.text, "canary"));
    server_restart(f->server);
    assert_int_equal(prepare_apply(p, &e, data, &f->err), PREPARED_KEEP);
    json_decref(data);
    prepare_free(p);
    salt_free(salt);
}

static void a_value_that_is_no_salt_is_never_used_as_one(void **state)
{
    struct fixture *f = *state;
    struct salt *salt = salt_new(f->redis);

    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "SET crier:{salt}:1970-01-01 short"));
    assert_null(salt_of(salt, 0, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "DEL crier:{salt}:1970-01-01"));
    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "LPUSH crier:{salt}:1970-01-01 short"));
    assert_null(salt_of(salt, 0, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    salt_free(salt);
}

#define WITH_REDIS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        WITH_REDIS(a_visitor_is_known_by_user_then_session_then_address),
        cmocka_unit_test(the_references_visitors_have_its_ids),
        WITH_REDIS(the_reference_hashes_with_the_salt_that_redis_keeps),
        WITH_REDIS(two_preparations_know_a_visitor_alike_within_a_day_only),
        cmocka_unit_test(a_keyed_hash_is_hmac_sha_256_each_time),
        WITH_REDIS(threads_that_race_for_the_days_salt_get_the_same),
        WITH_REDIS(a_salt_outlives_the_next_day_and_is_gone_after_48_hours),
        WITH_REDIS(no_salt_is_left_when_its_time_is_over),
        WITH_REDIS(no_salt_is_left_where_todays_was_made_the_day_before),
        WITH_REDIS(a_visitor_cannot_be_recognised_once_the_salt_is_gone),
        WITH_REDIS(a_salt_is_a_secret_of_256_bits),
        WITH_REDIS(days_that_share_a_place_in_memory_keep_their_own_salts),
        WITH_REDIS(without_redis_there_is_no_salt_but_an_error_that_time_heals),
        WITH_REDIS(a_value_that_is_no_salt_is_never_used_as_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
