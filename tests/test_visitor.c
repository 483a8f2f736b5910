/* Visitors: known within a day, by the ids of invenio-stats, and not any more once the day's salt is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/json.h"
#include "notifier/prepare.h"
#include "notifier/salt.h"
#include "notifier/visitor.h"
#include "support/prepare_stage.h"

struct ids {
    char visitor[64], session[64];
};

static struct ids ids_of(struct prepare_stage *f, struct prepare *p, const char *time, const char *text)
{
    json_t *data = prepare_data(f, p, time, text);
    struct ids ids;

    assert_non_null(data);
    snprintf(ids.visitor, sizeof ids.visitor, "%s", json_member_text(data, "visitor_id", "absent"));
    snprintf(ids.session, sizeof ids.session, "%s", json_member_text(data, "unique_session_id", "absent"));
    json_decref(data);
    return ids;
}

static void a_visitor_is_known_by_user_then_session_then_address(void **state)
{
    struct prepare_stage *f = *state;
    struct prepare *p = prepare_steps(f, "visitor");
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
        struct event e = prepare_event_at(cases[i].time);
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
    struct prepare_stage *f = *state;
    struct event_settings es = prepare_section("visitor");
    struct visitor *v = visitor_new(NULL, VISITOR_REFERENCE);
    const struct reply *salt;
    struct event e = prepare_event_at("2026-11-20T10:15:00Z");
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
    struct prepare_stage *f = *state;
    struct prepare *a = prepare_steps(f, "visitor"), *b = prepare_steps(f, "visitor");
    struct ids first = ids_of(f, a, "2026-11-20T00:00:00Z", "{\"user_id\":1}");
    struct ids second = ids_of(f, b, "2026-11-20T23:59:59.999999Z", "{\"user_id\":1}");
    struct ids next_day = ids_of(f, b, "2026-11-21T00:00:00Z", "{\"user_id\":1}");

    assert_string_equal(first.visitor, second.visitor);
    assert_string_not_equal(first.visitor, next_day.visitor);
    prepare_free(a);
    prepare_free(b);
}

/* On another day everything is found by the ids the events were given; who asks the door again gets another visitor. */
static void a_visitor_cannot_be_recognised_once_the_salt_is_gone(void **state)
{
    struct prepare_stage *f = *state;
    struct prepare *p = prepare_steps(f, "visitor"), *after_restart;
    struct ids first = ids_of(f, p, "2026-11-18T10:00:00Z", "{\"user_id\":1}"), again, gone;

    again = ids_of(f, p, "2026-11-18T23:00:00Z", "{\"user_id\":1}");
    assert_string_equal(first.visitor, again.visitor);
    assert_true(redis_do(f->redis, f->arena, NULL, &f->err, "DEL crier:{salt}:2026-11-18"));
    prepare_free(p);
    after_restart = prepare_steps(f, "visitor");
    gone = ids_of(f, after_restart, "2026-11-18T10:00:00Z", "{\"user_id\":1}");
    assert_string_not_equal(first.visitor, gone.visitor);
    prepare_free(after_restart);
}

#define WITH_REDIS(name) cmocka_unit_test_setup_teardown(name, prepare_stage_open, prepare_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(a_visitor_is_known_by_user_then_session_then_address),
        cmocka_unit_test(the_references_visitors_have_its_ids),
        WITH_REDIS(the_reference_hashes_with_the_salt_that_redis_keeps),
        WITH_REDIS(two_preparations_know_a_visitor_alike_within_a_day_only),
        WITH_REDIS(a_visitor_cannot_be_recognised_once_the_salt_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
