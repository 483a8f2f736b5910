/* One link to an HTTP server: a listening socket that notes what came and answers what the test wants. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/text.h"
#include "support/canary.h"
#include "support/message.h"
#include "support/server.h"

enum { CONNECT_MS = 1000, TIMEOUT_MS = 1000 };

enum then { THEN_READ_ON, THEN_CLOSE, THEN_WAIT };

struct fixture {
    struct http *http;
    struct http_reply reply;
    struct error err;
    pthread_t thread;
    pthread_mutex_t mutex; /* for the rest */
    int listener, port, connections;
    const char *answer; /* to each request */
    size_t answer_length;
    enum then then;
    struct message request; /* the last one */
    char url[80];
};

static void *listen_run(void *user)
{
    struct fixture *f = user;
    struct message m = MESSAGE_INIT;
    int fd;

    while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
        enum then then = THEN_READ_ON;

        pthread_mutex_lock(&f->mutex);
        f->connections++;
        pthread_mutex_unlock(&f->mutex);
        while (then == THEN_READ_ON && message_read(fd, &m)) {
            pthread_mutex_lock(&f->mutex);
            buf_reset(&f->request.bytes);
            buf_add(&f->request.bytes, m.bytes.data, m.bytes.length);
            f->request.head = m.head;
            then = f->then;
            socket_send(fd, f->answer, f->answer_length);
            pthread_mutex_unlock(&f->mutex);
        }
        if (then == THEN_WAIT)
            message_read(fd, &m); /* until the other side gives up */
        close(fd);
    }
    message_release(&m);
    return NULL;
}

static void answer(struct fixture *f, const char *text, enum then then)
{
    pthread_mutex_lock(&f->mutex);
    f->answer = text;
    f->answer_length = strlen(text);
    f->then = then;
    pthread_mutex_unlock(&f->mutex);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct sockaddr_in address;

    f->http = http_new(&(struct http_options){.connect_ms = CONNECT_MS, .timeout_ms = TIMEOUT_MS});
    f->reply = (struct http_reply)HTTP_REPLY_INIT;
    f->request = (struct message)MESSAGE_INIT;
    pthread_mutex_init(&f->mutex, NULL);
    f->port = port_find();
    f->listener = socket_loopback(&address, f->port);
    if (bind(f->listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(f->listener, 8) != 0)
        return -1;
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/path?a=b", f->port);
    answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", THEN_READ_ON);
    *state = f;
    return pthread_create(&f->thread, NULL, listen_run, f);
}

static void stop_listening(struct fixture *f)
{
    if (f->listener < 0)
        return;
    shutdown(f->listener, SHUT_RDWR);
    http_free(f->http); /* its connection closes, so that the thread gets on */
    f->http = NULL;
    pthread_join(f->thread, NULL);
    close(f->listener);
    f->listener = -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stop_listening(f);
    http_free(f->http);
    buf_release(&f->reply.body);
    message_release(&f->request);
    pthread_mutex_destroy(&f->mutex);
    free(f);
    return 0;
}

static bool post(struct fixture *f, const char *body)
{
    return http_send(f->http,
                     &(struct http_request){.method = "POST", .url = f->url, .body = body, .length = strlen(body)},
                     &f->reply, &f->err);
}

static bool head_holds(const struct fixture *f, const char *text)
{
    const char *found = strcasestr(f->request.bytes.data, text);

    return found && found < f->request.bytes.data + f->request.head;
}

/* -------------------------------------------------------------------------------------------------- requests */

static void a_request_is_sent_as_it_was_given(void **state)
{
    struct fixture *f = *state;

    assert_true(post(f, "{\"a\":1}"));
    assert_int_equal(f->reply.status, 200);
    assert_string_equal(f->reply.body.data, "{}");
    assert_int_equal(f->reply.retry_after_s, -1);
    assert_true(text_starts(f->request.bytes.data, "POST /path?a=b HTTP/1.1\r\n"));
    assert_true(head_holds(f, "\r\nContent-Type: application/json\r\n"));
    assert_string_equal(message_body(&f->request), "{\"a\":1}");
}

static void every_method_goes_out_under_its_name(void **state)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "GET", "PATCH"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        assert_true(
            http_send(f->http, &(struct http_request){.method = methods[i], .url = f->url}, &f->reply, &f->err));
        assert_true(text_starts(f->request.bytes.data, methods[i]));
        assert_false(head_holds(f, "Content-Type"));
        assert_int_equal(message_body_length(&f->request), 0);
        assert_true(post(f, "{}"));
    }
}

static void a_head_request_waits_for_no_body(void **state)
{
    struct fixture *f = *state;

    answer(f, "HTTP/1.1 404 No\r\nContent-Length: 200\r\n\r\n", THEN_READ_ON);
    assert_true(http_send(f->http, &(struct http_request){.method = "HEAD", .url = f->url}, &f->reply, &f->err));
    assert_int_equal(f->reply.status, 404);
}

static void a_large_body_waits_for_no_permission(void **state)
{
    struct fixture *f = *state;
    size_t length = (size_t)3 * 1024 * 1024;
    char *body = xmalloc(length + 1);

    memset(body, 'x', length);
    body[length] = '\0';
    assert_true(post(f, body));
    assert_false(head_holds(f, "Expect"));
    assert_int_equal(message_body_length(&f->request), length);
    free(body);
}

static void requests_share_one_connection(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 20; i++)
        assert_true(post(f, "{}"));
    assert_int_equal(f->connections, 1);
}

static void a_connection_the_server_closed_is_made_anew(void **state)
{
    struct fixture *f = *state;

    answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", THEN_CLOSE);
    for (int i = 0; i < 20; i++)
        assert_true(post(f, "{}"));
    assert_int_equal(f->connections, 20);
}

static void a_password_is_sent_but_never_shown(void **state)
{
    struct fixture *f = *state;
    struct http *h =
        http_new(&(struct http_options){.user = "crier", .password = CANARY, .connect_ms = 100, .timeout_ms = 1000});
    char url[100];

    assert_true(http_send(h, &(struct http_request){.method = "GET", .url = f->url}, &f->reply, &f->err));
    assert_true(head_holds(f, "Authorization: Basic Y3JpZXI6Y2FuYXJ5c2VjcmV0\r\n"));
    snprintf(url, sizeof url, "http://crier:" CANARY "@127.0.0.1:%d/?key=" CANARY, port_find());
    assert_false(http_send(h, &(struct http_request){.method = "GET", .url = url}, &f->reply, &f->err));
    assert_null(strstr(f->err.text, CANARY));
    assert_non_null(strstr(f->err.text, "127.0.0.1"));
    http_free(h);
}

static void no_proxy_is_taken_from_the_environment(void **state)
{
    struct fixture *f = *state;

    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("all_proxy", "http://127.0.0.1:1/", 1);
    assert_true(post(f, "{}"));
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static void a_redirect_is_not_followed(void **state)
{
    struct fixture *f = *state;

    answer(f, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", THEN_READ_ON);
    assert_true(post(f, "{}"));
    assert_int_equal(f->reply.status, 302);
    assert_true(text_starts(f->request.bytes.data, "POST /path"));
}

static void only_http_is_spoken(void **state)
{
    struct fixture *f = *state;

    assert_false(
        http_send(f->http, &(struct http_request){.method = "GET", .url = "file:///etc/passwd"}, &f->reply, &f->err));
    assert_false(f->reply.may_have_effect);
}

static void bodies_are_packed_from_1_kib_on(void **state)
{
    struct fixture *f = *state;
    struct http *h = http_new(&(struct http_options){.connect_ms = 5000, .timeout_ms = 20000, .gzip = true});
    char body[5000], unpacked[6000];
    z_stream z = {0};

    memset(body, 'x', sizeof body);
    assert_true(http_send(h, &(struct http_request){.method = "POST", .url = f->url, .body = body, .length = 1000},
                          &f->reply, &f->err));
    assert_false(message_is_packed(&f->request));
    for (int i = 0; i < 3; i++) {
        assert_true(http_send(h, &(struct http_request){.method = "POST", .url = f->url, .body = body, .length = 5000},
                              &f->reply, &f->err));
        assert_true(head_holds(f, "\r\nContent-Encoding: gzip\r\n"));
        assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
        z.next_in = (Bytef *)(uintptr_t)message_body(&f->request);
        z.avail_in = (uInt)message_body_length(&f->request);
        z.next_out = (Bytef *)unpacked;
        z.avail_out = sizeof unpacked;
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        assert_int_equal(z.total_out, 5000);
        assert_memory_equal(unpacked, body, 5000);
        inflateEnd(&z);
    }
    http_free(h);
}

/* --------------------------------------------------------------------------------------------------- replies */

static void the_wait_a_server_asks_for_is_passed_on(void **state)
{
    struct fixture *f = *state;

    answer(f, "HTTP/1.1 429 X\r\nRetry-After: 17\r\nContent-Length: 4\r\n\r\nbusy", THEN_READ_ON);
    assert_true(post(f, "{}"));
    assert_int_equal(f->reply.status, 429);
    assert_int_equal(f->reply.retry_after_s, 17);
    assert_string_equal(f->reply.body.data, "busy");
    answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", THEN_READ_ON);
    assert_true(post(f, "{}"));
    assert_int_equal(f->reply.retry_after_s, -1);
    assert_int_equal(f->reply.body.length, 0);
}

static void a_reply_in_chunks_is_put_together(void **state)
{
    struct fixture *f = *state;

    answer(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", THEN_READ_ON);
    assert_true(post(f, "{}"));
    assert_string_equal(f->reply.body.data, "abcdefg");
}

/* What of a reply is not whole counts as none; the request may have been carried out. */
static void no_whole_reply(struct fixture *f)
{
    assert_false(post(f, "{}"));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_int_equal(f->reply.status, 0);
    assert_int_equal(f->reply.body.length, 0);
    assert_true(f->reply.may_have_effect);
}

static void a_reply_cut_short_is_no_reply(void **state)
{
    static const char *const replies[] = {
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf",
        "rubbish\r\n\r\n",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(replies); i++) {
        answer(f, replies[i], THEN_CLOSE);
        no_whole_reply(f);
    }
}

static void a_server_that_says_nothing_is_left_in_time(void **state)
{
    static const char *const replies[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(replies); i++) {
        int64_t start_ms = clock_monotonic_ms();

        answer(f, replies[i], THEN_WAIT);
        no_whole_reply(f);
        assert_in_range(clock_monotonic_ms() - start_ms, TIMEOUT_MS - 50, 30 * TIMEOUT_MS);
    }
}

static void a_refused_connection_had_no_effect(void **state)
{
    struct fixture *f = *state;

    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/", port_find());
    assert_false(post(f, "{}"));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_false(f->reply.may_have_effect);
    snprintf(f->url, sizeof f->url, "http://no-such-host.invalid/");
    assert_false(post(f, "{}"));
    assert_false(f->reply.may_have_effect);
}

static void a_server_that_does_not_speak_tls_had_no_effect(void **state)
{
    struct fixture *f = *state;

    answer(f, "HTTP/1.1 400 no\r\n\r\n", THEN_CLOSE);
    snprintf(f->url, sizeof f->url, "https://127.0.0.1:%d/", f->port);
    assert_false(post(f, "{}"));
    assert_false(f->reply.may_have_effect);
}

/* ---------------------------------------------------------------------------------------------------- segments */

static void a_path_segment_is_always_one_segment(void **state)
{
    static const char text[] = "a-Z0._~/?#[]@!$&'()*+,;= %\"<>\\^`{|}\xc3\xbc\x01";
    struct buf out = BUF_INIT;

    (void)state;
    http_add_segment(&out, text, sizeof text); /* with its NUL */
    assert_string_equal(out.data, "a-Z0._~%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%20%25%22%3C%3E%5C%5E%60"
                                  "%7B%7C%7D%C3%BC%01%00");
    buf_release(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_sent_as_it_was_given),
        TEST(every_method_goes_out_under_its_name),
        TEST(a_head_request_waits_for_no_body),
        TEST(a_large_body_waits_for_no_permission),
        TEST(requests_share_one_connection),
        TEST(a_connection_the_server_closed_is_made_anew),
        TEST(a_password_is_sent_but_never_shown),
        TEST(no_proxy_is_taken_from_the_environment),
        TEST(a_redirect_is_not_followed),
        TEST(only_http_is_spoken),
        TEST(bodies_are_packed_from_1_kib_on),
        TEST(the_wait_a_server_asks_for_is_passed_on),
        TEST(a_reply_in_chunks_is_put_together),
        TEST(a_reply_cut_short_is_no_reply),
        TEST(a_server_that_says_nothing_is_left_in_time),
        TEST(a_refused_connection_had_no_effect),
        TEST(a_server_that_does_not_speak_tls_had_no_effect),
        cmocka_unit_test(a_path_segment_is_always_one_segment),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
