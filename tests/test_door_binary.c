#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/door_client.h"

static void a_binary_event_has_its_attributes_in_headers(void **state)
{
    struct door_client *c = *state;
    const char *const headers[] = {"Content-Type: application/vnd.repository+json; charset=UTF-8",
                                   "ce-specversion: 1.0",
                                   "ce-id: caf%C3%A9 100%",
                                   "ce-source: \"/s\\\"q\"",
                                   "ce-type: user.updated",
                                   "ce-subject: users/%31",
                                   "ce-revision: 12",
                                   "ce-time: 2026-11-20T10:00:00Z",
                                   "ce-colour: red",
                                   NULL};

    assert_int_equal(client_request(c, "POST", "/events", headers, " {\"a\":[1]}", 10), 202);
    assert_string_equal(client_field(c, "changes", "id"), "café 100%");
    assert_string_equal(client_field(c, "changes", "source"), "/s\"q");
    assert_string_equal(client_field(c, "changes", "subject"), "users/1");
    assert_string_equal(client_field(c, "changes", "revision"), "12");
    assert_string_equal(client_field(c, "changes", "data"), "{\"a\":[1]}");
    assert_null(client_field(c, "changes", "colour"));
}

static void a_binary_event_may_come_without_data(void **state)
{
    struct door_client *c = *state;
    const char *const headers[] = {"Content-Type:", "ce-specversion: 1.0",   "ce-id: a",
                                   "ce-source: /s", "ce-type: user.deleted", NULL};

    assert_int_equal(client_request(c, "POST", "/events", headers, "", 0), 202);
    assert_null(client_field(c, "changes", "data"));
}

static void mistakes_in_binary_mode_are_named(void **state)
{
    static const struct {
        const char *type, *version, *id, *event_type, *body, *says;
        long status;
    } cases[] = {
        {JSON,                       "1.0", "ce-id: a",     "ce-colour: red",   "{}", "type is missing", 400},
        {JSON,                       "0.3", "ce-id: a",     "ce-type: user.a",  "{}", "1.0",             400},
        {JSON,                       "1.0", "ce-id: a",     "ce-id: b",         "{}", "twice",           400},
        {JSON,                       "1.0", "ce-id: a%00b", "ce-type: user.a",  "{}", "NUL",             400},
        {JSON,                       "1.0", "ce-id: a%0ab", "ce-type: user.a",  "{}", "control",         400},
        {JSON,                       "1.0", "ce-id: %FF",   "ce-type: user.a",  "{}", "UTF-8",           400},
        {JSON,                       "1.0", "ce-id: a",     "ce-type: crier.x", "{}", "crier.",          400},
        {JSON,                       "1.0", "ce-id: a",     "ce-type: user.a",  "[]", "object",          400},
        {JSON,                       "1.0", "ce-id: a",     "ce-type: user.a",  "{x", "line 1",          400},
        {"Content-Type: text/plain", "1.0", "ce-id: a",     "ce-type: user.a",  "{}", "Content-Type",    415},
    };
    struct door_client *c = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char version[40];
        const char *const headers[] = {cases[i].type, version, "ce-source: s", cases[i].id, cases[i].event_type, NULL};
        long status;

        snprintf(version, sizeof version, "ce-specversion: %s", cases[i].version);
        status = client_request(c, "POST", "/events", headers, cases[i].body, strlen(cases[i].body));
        if (status != cases[i].status || !strstr(client_reason(c, 0), cases[i].says))
            fail_msg("case %zu: %ld %s", i, status, c->body.data);
    }
    assert_int_equal(client_stream_length(c, "changes"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, client_door_open, client_door_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_binary_event_has_its_attributes_in_headers),
        TEST(a_binary_event_may_come_without_data),
        TEST(mistakes_in_binary_mode_are_named),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
