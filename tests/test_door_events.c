#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/counters.h"
#include "base/json.h"
#include "support/door_client.h"

static void a_structured_event_is_in_the_stream_before_it_is_accepted(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(client_post(c, STRUCTURED "; charset=utf-8",
                                 "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/s\",\"type\":\"user.updated\","
                                 "\"time\":\"2026-11-20T10:00:00+01:00\",\"subject\":\"users/1\",\"revision\":3,"
                                 "\"actor\":\"users/2\",\"data\":{ \"full_name\" : \"x\" }}"),
                     202);
    assert_string_equal(c->body.data, "{\"id\":\"a\",\"outcome\":\"accepted\"}\n");
    assert_string_equal(client_field(c, "changes", "id"), "a");
    assert_string_equal(client_field(c, "changes", "time"), "2026-11-20T09:00:00Z");
    assert_string_equal(client_field(c, "changes", "subject"), "users/1");
    assert_string_equal(client_field(c, "changes", "actor"), "users/2");
    assert_string_equal(client_field(c, "changes", "revision"), "3");
    assert_string_equal(client_field(c, "changes", "data"), "{\"full_name\":\"x\"}");
    assert_int_equal(strlen(client_field(c, "changes", "unique")), 32);
}

static void the_same_event_again_is_a_duplicate_through_every_mode(void **state)
{
    struct door_client *c = *state;
    const char *const binary[] = {JSON, "ce-specversion: 1.0", "CE-ID: a", "ce-source: /s", "Ce-Type: user.updated",
                                  NULL};

    assert_int_equal(client_post(c, STRUCTURED, EVENT("a")), 202);
    assert_string_equal(client_outcome(c, 0), "accepted");
    assert_int_equal(client_post(c, STRUCTURED, EVENT("a")), 202);
    assert_string_equal(c->body.data, "{\"id\":\"a\",\"outcome\":\"duplicate\",\"duplicate\":true}\n");
    client_post(c, JSON, EVENT("a"));
    assert_string_equal(client_outcome(c, 0), "duplicate");
    client_post(c, BATCH, "[" EVENT("a") "," EVENT("a") "]");
    assert_string_equal(client_outcome(c, 0), "duplicate");
    assert_string_equal(client_outcome(c, 1), "duplicate");
    client_post(c, LINES, EVENT("a"));
    assert_string_equal(client_outcome(c, 0), "duplicate");
    assert_int_equal(client_request(c, "POST", "/events", binary, "{}", 2), 202);
    assert_string_equal(client_outcome(c, 0), "duplicate");
    assert_int_equal(client_stream_length(c, "changes"), 1);
}

static void the_short_form_takes_its_id_from_the_idempotency_key(void **state)
{
    struct door_client *c = *state;
    const char *const headers[] = {JSON, "Idempotency-Key: key-1", NULL};
    const char *text = "{\"event_type\":\"user.updated\",\"payload\":{\"a\":1}}";

    assert_int_equal(client_request(c, "POST", "/events", headers, text, strlen(text)), 202);
    assert_string_equal(c->body.data, "{\"id\":\"key-1\",\"outcome\":\"accepted\"}\n");
    client_request(c, "POST", "/events", headers, text, strlen(text));
    assert_string_equal(client_outcome(c, 0), "duplicate");
    client_post(c, JSON, text);
    assert_string_equal(client_outcome(c, 0), "accepted");
}

static void of_several_events_each_has_its_own_outcome_in_order(void **state)
{
    struct door_client *c = *state;
    const char *const forms[] = {BATCH, JSON};

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        assert_int_equal(client_post(c, forms[i],
                                     " [\n" EVENT("a") " , {\"specversion\":\"1.0\",\"id\":\"b\"},[],\n7, " EVENT(
                                         "a") ","
                                              "{\"event_type\":\"nobody.asked\",\"id\":\"c\"}, {\"id\":\"d\",} ] \n"),
                         202);
        assert_int_equal(json_array_size(c->json), 7);
        assert_string_equal(client_outcome(c, 0), i == 0 ? "accepted" : "duplicate");
        assert_string_equal(client_outcome(c, 1), "refused");
        assert_string_equal(json_member_text(json_array_get(c->json, 1), "id", ""), "b");
        assert_non_null(strstr(client_reason(c, 1), "is missing"));
        assert_string_equal(client_outcome(c, 2), "refused");
        assert_string_equal(client_outcome(c, 3), "refused");
        assert_string_equal(client_outcome(c, 4), "duplicate");
        assert_string_equal(client_outcome(c, 5), "not_wanted");
        assert_string_equal(client_outcome(c, 6), "refused");
        assert_true(text_starts(client_reason(c, 6), "byte 292: line 1 column "));
    }
    assert_int_equal(client_stream_length(c, "changes"), 1);
}

static void commas_and_brackets_in_texts_do_not_part_events(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(
        client_post(c, BATCH,
                    "[{\"specversion\":\"1.0\",\"id\":\"],[\\\"}\\\\\",\"source\":\"{\",\"type\":\"user.a\","
                    "\"data\":{\"x\":[[1,2],{\"y\":\"}\"}]}}," EVENT("b") "]"),
        202);
    assert_int_equal(json_array_size(c->json), 2);
    assert_string_equal(json_member_text(json_array_get(c->json, 0), "id", ""), "],[\"}\\");
    assert_string_equal(client_outcome(c, 0), "accepted");
    assert_string_equal(client_outcome(c, 1), "accepted");
}

static void an_empty_batch_is_fine(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(client_post(c, BATCH, " [ ] "), 202);
    assert_string_equal(c->body.data, "[]\n");
    assert_int_equal(client_post(c, LINES, "\n\n"), 202);
    assert_string_equal(c->body.data, "[]\n");
}

static void lines_are_events_and_mistakes_are_told_by_line(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(client_post(c, LINES, "\n" EVENT("a") "\r\n \t\n{\"id\":\n" EVENT("b") "\n" EVENT("c") " x"), 202);
    assert_int_equal(json_array_size(c->json), 4);
    assert_string_equal(client_outcome(c, 0), "accepted");
    assert_true(text_starts(client_reason(c, 1), "line 4: column 6 (byte 6): "));
    assert_string_equal(client_outcome(c, 2), "accepted");
    assert_true(text_starts(client_reason(c, 3), "line 6: column "));
    assert_int_equal(client_stream_length(c, "changes"), 2);
}

static void when_nothing_could_be_taken_the_answer_is_400(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(client_post(c, BATCH, "[{},{}]"), 400);
    assert_int_equal(json_array_size(c->json), 2);
    assert_int_equal(client_post(c, LINES, "{\n"), 400);
    assert_int_equal(client_post(c, STRUCTURED, "{}"), 400);
    assert_string_equal(client_outcome(c, 0), "refused");
}

static void robots_and_types_nobody_wants_are_taken_and_left_out(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(client_post(c, JSON,
                                 "{\"event_type\":\"record-view\",\"id\":\"a\",\"payload\":{\"recid\":\"r\","
                                 "\"user_agent\":\"Googlebot/2.1\",\"user_id\":1}}"),
                     202);
    assert_string_equal(client_outcome(c, 0), "robot");
    assert_int_equal(client_post(c, JSON, "{\"event_type\":\"nobody.asked\",\"id\":\"a\"}"), 202);
    assert_string_equal(client_outcome(c, 0), "not_wanted");
    assert_int_equal(client_stream_length(c, "statistics"), 0);
}

static void types_of_the_service_itself_are_refused(void **state)
{
    struct door_client *c = *state;

    assert_int_equal(client_post(c, JSON, "{\"event_type\":\"crier.dead.dropped\",\"id\":\"a\"}"), 400);
    assert_non_null(strstr(client_reason(c, 0), "crier."));
}

static void garbage_is_refused_with_its_place_and_harms_nothing(void **state)
{
    static const struct {
        const char *type, *body, *says;
    } cases[] = {
        {STRUCTURED, "",                                               "line 1"       },
        {STRUCTURED, "x",                                              "line 1 column"},
        {STRUCTURED, "{",                                              "line 1 column"},
        {STRUCTURED, "{\n\"a\":}",                                     "line 2 column"},
        {STRUCTURED, "{\"id\":\"1\",\"id\":\"2\"}",                    "duplicate"    },
        {STRUCTURED, "{\"id\":\"\\u0000\"}",                           "byte"         },
        {STRUCTURED, "{\"id\":\"\xff\"}",                              "decode"       },
        {STRUCTURED, "{\"id\":\"\xed\xa0\x80\"}",                      "decode"       },
        {STRUCTURED, "\xef\xbb\xbf{}",                                 "line 1"       },
        {STRUCTURED, "{\"id\":1e999}",                                 "byte"         },
        {STRUCTURED, "{\"id\":123456789012345678901234567890}",        "byte"         },
        {STRUCTURED, "{\"data\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", "16 levels"    },
        {STRUCTURED, EVENT("a") " x",                                  "line 1"       },
        {STRUCTURED, "[" EVENT("a") "]",                               "object"       },
        {BATCH,      EVENT("a"),                                       "array"        },
        {BATCH,      "[" EVENT("a"),                                   "cut short"    },
        {BATCH,      "[" EVENT("a") ",",                               "cut short"    },
        {BATCH,      "[" EVENT("a") ",]",                              "misplaced"    },
        {BATCH,      "[," EVENT("a") "]",                              "byte 2"       },
        {BATCH,      "[" EVENT("a") "] x",                             "misplaced"    },
        {BATCH,      "[] []",                                          "byte 4"       },
        {BATCH,      "[\"",                                            "cut short"    },
        {BATCH,      "[\"\\",                                          "cut short"    },
        {BATCH,      "[}",                                             "byte 2"       },
        {BATCH,      "[",                                              "cut short"    },
        {LINES,      "{\"a\":",                                        "line 1: col"  },
    };
    struct door_client *c = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        long status = client_post(c, cases[i].type, cases[i].body);

        if (status != 400)
            fail_msg("%s: %ld %s", cases[i].body, status, c->body.data);
        if (!strstr(client_reason(c, 0), cases[i].says))
            fail_msg("%s: %s", cases[i].body, c->body.data);
    }
    assert_int_equal(client_stream_length(c, "changes"), 0);
    assert_int_equal(client_post(c, STRUCTURED, EVENT("healthy")), 202);
}

static void a_refusal_tells_no_value_of_the_event(void **state)
{
    static const char *const bodies[] = {
        "{\"data\":{\"name\":canary}}",
        "{\"data\":{\"name\":\"canary\" \"canary\"}}",
        "{\"canary\":1,\"canary\":2}",
        "{\"specversion\":\"canary\",\"data\":{}}",
        "{\"event_type\":\"record-view\",\"payload\":{\"user_id\":\"canary\",\"user_agent\":\"canary\"}}",
    };
    struct door_client *c = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        assert_int_equal(client_post(c, JSON, bodies[i]), 400);
        if (strstr(c->body.data, "canary"))
            fail_msg("%s", c->body.data);
    }
}

static void outcomes_are_counted(void **state)
{
    struct door_client *c = *state;
    struct counter *accepted = counter_get(COUNTER_TOTAL, "crier_door_events_total", "", "outcome=\"accepted\"");
    struct counter *refused = counter_get(COUNTER_TOTAL, "crier_door_events_total", "", "outcome=\"refused\"");
    int64_t accepted_before = counter_value(accepted), refused_before = counter_value(refused);

    client_post(c, BATCH, "[" EVENT("a") "," EVENT("b") ",{}]");
    client_post(c, BATCH, "[");
    assert_int_equal(counter_value(accepted) - accepted_before, 2);
    assert_int_equal(counter_value(refused) - refused_before, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, client_door_open, client_door_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_structured_event_is_in_the_stream_before_it_is_accepted),
        TEST(the_same_event_again_is_a_duplicate_through_every_mode),
        TEST(the_short_form_takes_its_id_from_the_idempotency_key),
        TEST(of_several_events_each_has_its_own_outcome_in_order),
        TEST(commas_and_brackets_in_texts_do_not_part_events),
        TEST(an_empty_batch_is_fine),
        TEST(lines_are_events_and_mistakes_are_told_by_line),
        TEST(when_nothing_could_be_taken_the_answer_is_400),
        TEST(robots_and_types_nobody_wants_are_taken_and_left_out),
        TEST(types_of_the_service_itself_are_refused),
        TEST(garbage_is_refused_with_its_place_and_harms_nothing),
        TEST(a_refusal_tells_no_value_of_the_event),
        TEST(outcomes_are_counted),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
