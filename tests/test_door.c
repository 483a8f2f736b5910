#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "support/door_client.h"

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

#define RAW_POST "POST /events HTTP/1.1\r\nHost: localhost\r\n" JSON "\r\n"

static int connect_to(const struct door_client *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)door_port(c->door))};
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    assert_true(made >= 0);
    assert_int_equal(connect(made, (struct sockaddr *)&to, sizeof to), 0);
    return made;
}

static void send_text(int to, const char *text)
{
    assert_int_equal(send(to, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static const char *receive(int from, const char *until, bool *closed)
{
    static char bytes[8192];
    size_t length = 0;

    *closed = false;
    bytes[0] = '\0';
    while (length < sizeof bytes - 1 && !(until && strstr(bytes, until))) {
        struct pollfd ready = {.fd = from, .events = POLLIN};
        ssize_t count = poll(&ready, 1, 5000) > 0 ? recv(from, bytes + length, sizeof bytes - 1 - length, 0) : -2;

        if (count == -2)
            break;
        if (count <= 0) {
            *closed = true;
            break;
        }
        length += (size_t)count;
        bytes[length] = '\0';
    }
    return bytes;
}

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
        int s = connect_to(c);
        bool closed;
        const char *answer;

        send_text(s, requests[i]);
        shutdown(s, SHUT_WR);
        answer = receive(s, NULL, &closed);
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
    int s = connect_to(c);
    bool closed;

    for (int i = 0; i < 3; i++) {
        send_text(s, RAW_POST "Content-Length: 41\r\n\r\n{\"event_type\":\"user.a\",\"payload\":{\"n\":1}}");
        assert_non_null(strstr(receive(s, "}\n", &closed), " 202 "));
        assert_false(closed);
        send_text(
            s, "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
        assert_non_null(strstr(receive(s, "}\n", &closed), " 415 "));
        assert_false(closed);
    }
    close(s);
}

/* ------------------------------------------------------------------------------------------------- Redis in trouble */

static void without_redis_senders_are_told_to_come_again_and_nothing_is_lost(void **state)
{
    struct door_client *c = *state;
    int64_t before;

    assert_int_equal(client_post(c, STRUCTURED, EVENT("a")), 202);
    server_kill(c->scene->redis_server);
    assert_int_equal(client_post(c, BATCH, "[" EVENT("a") "," EVENT("b") ",{}]"), 503);
    assert_int_equal(c->retry_after, 1);
    assert_string_equal(client_outcome(c, 1), "unavailable");
    assert_string_equal(client_outcome(c, 2), "refused");
    before = clock_monotonic_ms();
    for (int i = 0; i < 20; i++)
        assert_int_equal(client_post(c, STRUCTURED, EVENT("b")), 503);
    assert_true(clock_monotonic_ms() - before < 10000); /* none waited for Redis: 20 times a second */
    server_restart(c->scene->redis_server);
    before = clock_monotonic_ms();
    while (client_post(c, BATCH, "[" EVENT("a") "," EVENT("b") "]") == 503)
        assert_true(clock_monotonic_ms() - before < 60000);
    assert_int_equal(c->status, 202);
    assert_string_equal(client_outcome(c, 0), "duplicate");
    redis_drop(c->scene->redis);
    assert_int_equal(client_stream_length(c, "changes"), 2);
}

static void a_silent_redis_holds_up_one_request_not_all(void **state)
{
    struct door_client *c = *state;
    int64_t before;
    int quick = 0;

    assert_int_equal(client_post(c, STRUCTURED, EVENT("a")), 202);
    server_pause(c->scene->redis_server);
    for (int i = 0; i < 20; i++) {
        before = clock_monotonic_ms();
        assert_int_equal(client_post(c, STRUCTURED, EVENT("b")), 503);
        quick += clock_monotonic_ms() - before < 900; /* less than Redis is waited for */
    }
    server_resume(c->scene->redis_server);
    assert_true(quick >= 10);
}

static void a_redis_that_refuses_is_no_false_success(void **state)
{
    static const struct {
        const char *trouble, *end;
    } cases[] = {
        {"CONFIG SET maxmemory 1",             "CONFIG SET maxmemory 0"            },
        {"REPLICAOF 127.0.0.1 1",              "REPLICAOF NO ONE"                  },
        {"CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"},
    };
    struct door_client *c = *state;
    int64_t before = clock_monotonic_ms();

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct reply *reply;
        struct error err;
        char id[20], event[300];

        snprintf(id, sizeof id, "trouble-%zu", i);
        snprintf(event, sizeof event,
                 "{\"event_type\":\"record-view\",\"id\":\"%s\",\"payload\":{\"recid\":\"%s\",\"user_id\":1}}", id, id);
        assert_true(redis_do(c->scene->redis, c->scene->arena, &reply, &err, cases[i].trouble));
        if (client_post(c, JSON, event) != 503 || c->retry_after != 1)
            fail_msg("%s: %ld %s", cases[i].trouble, c->status, c->body.data);
        assert_true(redis_do(c->scene->redis, c->scene->arena, &reply, &err, cases[i].end));
        while (client_post(c, JSON, event) == 503)
            assert_true(clock_monotonic_ms() - before < 60000);
        assert_int_equal(c->status, 202);
    }
    assert_int_equal(client_stream_length(c, "statistics"), (int64_t)ARRAY_LENGTH(cases));
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

/* ----------------------------------------------------------------------------------------------------- many at once */

struct sender {
    pthread_t thread;
    struct door_client client; /* a client of its own at the same door */
    size_t accepted, duplicates;
};

static void *send_all(void *context)
{
    struct sender *s = context;

    for (int i = 0; i < 20; i++) {
        struct buf body = BUF_INIT;

        for (int k = 0; k < 50; k++)
            buf_printf(&body, "{\"event_type\":\"user.a\",\"id\":\"e%d-%d\"}\n", i, k);
        if (client_post(&s->client, LINES, body.data) == 202)
            for (size_t k = 0; k < json_array_size(s->client.json); k++) {
                s->accepted += strcmp(client_outcome(&s->client, k), "accepted") == 0;
                s->duplicates += strcmp(client_outcome(&s->client, k), "duplicate") == 0;
            }
        buf_release(&body);
    }
    return NULL;
}

static void of_many_senders_of_the_same_events_each_event_is_taken_once(void **state)
{
    enum { SENDERS = 6 };
    struct door_client *c = *state;
    struct sender senders[SENDERS] = {0};
    size_t accepted = 0, duplicates = 0;

    for (int i = 0; i < SENDERS; i++) {
        senders[i].client = (struct door_client){.door = c->door, .curl = curl_easy_init(), .body = BUF_INIT};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        accepted += senders[i].accepted;
        duplicates += senders[i].duplicates;
        curl_easy_cleanup(senders[i].client.curl);
        buf_release(&senders[i].client.body);
        json_decref(senders[i].client.json);
    }
    assert_int_equal(accepted, 1000);
    assert_int_equal(duplicates, (SENDERS - 1) * 1000);
    assert_int_equal(client_stream_length(c, "changes"), 1000);
}

/* --------------------------------------------------------------------------------------------------- open and close */

static void *close_door(void *door)
{
    door_close(door);
    return NULL;
}

static void a_closing_door_answers_what_is_under_way(void **state)
{
    struct door_client *c = *state;
    int slow = connect_to(c), idle = connect_to(c);
    pthread_t closer;
    bool closed;

    send_text(idle, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_non_null(strstr(receive(idle, "hello", &closed), " 200 "));
    send_text(slow, RAW_POST "Expect: 100-continue\r\nContent-Length: 41\r\n\r\n");
    assert_non_null(strstr(receive(slow, "\r\n\r\n", &closed), " 100 ")); /* it is under way now */
    assert_int_equal(pthread_create(&closer, NULL, close_door, c->door), 0);
    send_text(slow, "{\"event_type\":\"user.a\",\"payload\":{\"n\":1}}");
    assert_non_null(strstr(receive(slow, "}\n", &closed), " 202 "));
    pthread_join(closer, NULL);
    receive(idle, NULL, &closed);
    assert_true(closed);
    assert_int_equal(client_stream_length(c, "changes"), 1);
    c->door = NULL;
    close(slow);
    close(idle);
}

static void a_door_with_nothing_to_do_closes_at_once(void **state)
{
    struct door_client *c = *state;
    int idle = connect_to(c);
    int64_t before;
    bool closed;

    send_text(idle, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    receive(idle, "hello", &closed);
    before = clock_monotonic_ms();
    door_close(c->door);
    assert_true(clock_monotonic_ms() - before < 4000);
    c->door = NULL;
    close(idle);
}

static void an_address_in_use_is_said(void **state)
{
    struct door_client *c = *state;
    struct settings copy = *c->scene->settings;
    char taken[40];
    struct error err;

    snprintf(taken, sizeof taken, "127.0.0.1:%d", door_port(c->door));
    copy.http.listen = taken;
    assert_null(door_open(&copy, NULL, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.text, taken));
    assert_non_null(strstr(err.text, "in use"));
}

static void what_is_no_address_is_said(void **state)
{
    static char addresses[][30] = {"nowhere", ":8960", "127.0.0.1:", "127.0.0.1:http", "256.0.0.1:0", "[::1:0"};
    struct door_client *c = *state;
    struct settings copy = *c->scene->settings;
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
        copy.http.listen = addresses[i];
        assert_null(door_open(&copy, NULL, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_non_null(strstr(err.text, addresses[i]));
    }
}

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
        TEST(without_redis_senders_are_told_to_come_again_and_nothing_is_lost),
        TEST(a_silent_redis_holds_up_one_request_not_all),
        TEST(a_redis_that_refuses_is_no_false_success),
        TEST(who_it_was_never_reaches_redis),
        TEST(of_many_senders_of_the_same_events_each_event_is_taken_once),
        TEST(a_closing_door_answers_what_is_under_way),
        TEST(a_door_with_nothing_to_do_closes_at_once),
        TEST(an_address_in_use_is_said),
        TEST(what_is_no_address_is_said),
        cmocka_unit_test_setup_teardown(a_browsers_question_whether_it_may_ask_has_no_body, open_for_pages,
                                        client_door_close),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
