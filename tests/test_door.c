/* The door as a whole: what is asked for and how, over connections that go on, and what of it reaches Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "support/door_client.h"
#include "support/door_raw.h"

static void other_paths_methods_and_types_are_told_apart(void **state)
{
    static const struct {
        const char *method, *path, *header;
        long status;
        const char *allow;
    } cases[] = {
        {"POST",   "/",        JSON,                                        404, ""         },
        {"POST",   "/events/", JSON,                                        404, ""         },
        {"GET",    "/nothing", NULL,                                        404, ""         },
        {"GET",    "/events",  NULL,                                        405, "POST"     },
        {"PUT",    "/events",  JSON,                                        405, "POST"     },
        {"DELETE", "/events",  NULL,                                        405, "POST"     },
        {"POST",   "/hello",   JSON,                                        405, "GET, HEAD"},
        {"POST",   "/events",  "Content-Type: text/plain",                  415, ""         },
        {"POST",   "/events",  "Content-Type:",                             415, ""         },
        {"POST",   "/events",  "Content-Type: application/xml",             415, ""         },
        {"POST",   "/events",  "Content-Type: application/cloudevents+xml", 415, ""         },
        {"GET",    "/hello",   NULL,                                        200, ""         },
        {"HEAD",   "/hello",   NULL,                                        200, ""         },
        {"GET",    "/hello?x", NULL,                                        200, ""         },
    };
    struct door_client *c = *state;
    const char *const brotli[] = {JSON, "Content-Encoding: br", NULL};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *const headers[] = {cases[i].header, NULL};
        bool body = strcmp(cases[i].method, "POST") == 0 || strcmp(cases[i].method, "PUT") == 0;

        client_request(c, cases[i].method, cases[i].path, headers, body ? EVENT("a") : NULL, strlen(EVENT("a")));
        if (c->status != cases[i].status || strcmp(c->allow, cases[i].allow) != 0)
            fail_msg("%s %s: %ld %s", cases[i].method, cases[i].path, c->status, c->allow);
    }
    client_request(c, "GET", "/hello", NULL, NULL, 0);
    assert_string_equal(c->body.data, "hello");
    assert_int_equal(client_request(c, "POST", "/events", brotli, EVENT("a"), strlen(EVENT("a"))), 415);
    assert_int_equal(client_post(c, STRUCTURED, EVENT("a")), 202);
}

/* ----------------------------------------------------------------------------------------------------- raw requests */

static void requests_that_can_be_read_in_two_ways_are_refused_and_cut_off(void **state)
{
    static const char *const requests[] = {
        RAW_POST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{}",
        RAW_POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        RAW_POST "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        RAW_POST "Content-Length: +2\r\n\r\n{}",
        RAW_POST "Content-Length: -2\r\n\r\n{}",
        RAW_POST "Content-Length: 2, 2\r\n\r\n{}",
        RAW_POST "Content-Length: 0x2\r\n\r\n{}",
        RAW_POST "Transfer-Encoding: gzip\r\n\r\n{}",
        RAW_POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        RAW_POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        RAW_POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        RAW_POST "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        RAW_POST JSON "\r\nContent-Length: 2\r\n\r\n{}",
        "POST /events HTTP/1.1\r\n" JSON "\r\nContent-Length: 2\r\n\r\n{}",
        "\x16\x03\x01\x02\x05\x01 what\r\n\r\n",
    };
    struct door_client *c = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        int s = door_raw_connect(c);
        bool closed;
        const char *answer;

        door_raw_send(s, requests[i]);
        shutdown(s, SHUT_WR);
        answer = door_raw_receive(s, NULL, &closed);
        if (!closed || strstr(answer, " 202 ") || strstr(answer, " 200 "))
            fail_msg("request %zu: closed %d, %s", i, closed, answer);
        close(s);
    }
    assert_int_equal(client_post(c, STRUCTURED, EVENT("healthy")), 202);
    assert_int_equal(client_stream_length(c, "changes"), 1);
}

static void a_connection_serves_one_request_after_the_other(void **state)
{
    struct door_client *c = *state;
    int s = door_raw_connect(c);
    bool closed;

    for (int i = 0; i < 3; i++) {
        door_raw_send(s, RAW_POST "Content-Length: 41\r\n\r\n{\"event_type\":\"user.a\",\"payload\":{\"n\":1}}");
        assert_non_null(strstr(door_raw_receive(s, "}\n", &closed), " 202 "));
        assert_false(closed);
        door_raw_send(
            s, "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
        assert_non_null(strstr(door_raw_receive(s, "}\n", &closed), " 415 "));
        assert_false(closed);
    }
    close(s);
}

/* ---------------------------------------------------------------------------------------------------------- privacy */

static bool folder_holds(const char *path, const char *word)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    bool found = false;

    while (folder && !found && (entry = readdir(folder))) {
        struct buf bytes = BUF_INIT;
        struct error err;
        char name[600];

        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            found = folder_holds(name, word);
        else if (entry->d_type == DT_REG && file_read(name, 64 * 1024 * 1024, &bytes, &err))
            found = memmem(bytes.data, bytes.length, word, strlen(word)) != NULL;
        buf_release(&bytes);
    }
    if (folder)
        closedir(folder);
    return found;
}

static void who_it_was_never_reaches_redis(void **state)
{
    static const char *const types[] = {"record-view", "record-plain"}; /* with a section and without */
    struct door_client *c = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        char event[600];

        snprintf(
            event, sizeof event,
            "{\"event_type\":\"%s\",\"id\":\"e%zu\",\"payload\":{\"recid\":\"witness\",\"ip_address\":\"canary-ip\","
            "\"user_agent\":\"canary-agent\",\"user_id\":\"canary-user\",\"session_id\":\"canary-session\"}}",
            types[i], i);
        assert_int_equal(client_post(c, JSON, event), 202);
        assert_int_equal(c->status, 202);
    }
    assert_int_equal(client_stream_length(c, "statistics"), 2);
    server_stop(c->scene->redis_server); /* writes all it has to its files */
    assert_true(folder_holds(server_folder(c->scene->redis_server), "witness"));
    assert_false(folder_holds(server_folder(c->scene->redis_server), "canary"));
    server_restart(c->scene->redis_server);
}

/* --------------------------------------------------------------------------------------------------- open and close */

static int open_for_pages(void **state)
{
    return client_door_open_with(state, "origins = https://a.example.org\n");
}

/* Nobody knows who asks it: it takes no room from those who send. */
static void a_browsers_question_whether_it_may_ask_has_no_body(void **state)
{
    static const char *const headers[] = {"Origin: https://a.example.org", JSON, NULL};
    struct door_client *c = *state;

    assert_int_equal(client_request(c, "OPTIONS", "/events", headers, NULL, 0), 204);
    assert_int_equal(client_request(c, "OPTIONS", "/events", headers, EVENT("a"), strlen(EVENT("a"))), 413);
    assert_int_equal(client_post(c, STRUCTURED, EVENT("a")), 202);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, client_door_open, client_door_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(other_paths_methods_and_types_are_told_apart),
        TEST(requests_that_can_be_read_in_two_ways_are_refused_and_cut_off),
        TEST(a_connection_serves_one_request_after_the_other),
        TEST(who_it_was_never_reaches_redis),
        cmocka_unit_test_setup_teardown(a_browsers_question_whether_it_may_ask_has_no_body, open_for_pages,
                                        client_door_close),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
