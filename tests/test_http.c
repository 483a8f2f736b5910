/* One link to an HTTP server, and what is sent over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/http.h"
#include "base/text.h"
#include "support/canary.h"
#include "support/http_stage.h"
#include "support/message.h"
#include "support/server.h"

static bool head_holds(const struct http_stage *f, const char *text)
{
    const char *found = strcasestr(f->request.bytes.data, text);

    return found && found < f->request.bytes.data + f->request.head;
}

/* -------------------------------------------------------------------------------------------------- requests */

static void a_request_is_sent_as_it_was_given(void **state)
{
    struct http_stage *f = *state;

    assert_true(http_stage_post(f, "{\"a\":1}"));
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
    struct http_stage *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
        assert_true(
            http_send(f->http, &(struct http_request){.method = methods[i], .url = f->url}, &f->reply, &f->err));
        assert_true(text_starts(f->request.bytes.data, methods[i]));
        assert_false(head_holds(f, "Content-Type"));
        assert_int_equal(message_body_length(&f->request), 0);
        assert_true(http_stage_post(f, "{}"));
    }
}

static void a_head_request_waits_for_no_body(void **state)
{
    struct http_stage *f = *state;

    http_stage_answer(f, "HTTP/1.1 404 No\r\nContent-Length: 200\r\n\r\n", THEN_READ_ON);
    assert_true(http_send(f->http, &(struct http_request){.method = "HEAD", .url = f->url}, &f->reply, &f->err));
    assert_int_equal(f->reply.status, 404);
}

static void a_large_body_waits_for_no_permission(void **state)
{
    struct http_stage *f = *state;
    size_t length = (size_t)3 * 1024 * 1024;
    char *body = xmalloc(length + 1);

    memset(body, 'x', length);
    body[length] = '\0';
    assert_true(http_stage_post(f, body));
    assert_false(head_holds(f, "Expect"));
    assert_int_equal(message_body_length(&f->request), length);
    free(body);
}

static void requests_share_one_connection(void **state)
{
    struct http_stage *f = *state;

    for (int i = 0; i < 20; i++)
        assert_true(http_stage_post(f, "{}"));
    assert_int_equal(f->connections, 1);
}

static void a_connection_the_server_closed_is_made_anew(void **state)
{
    struct http_stage *f = *state;

    http_stage_answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", THEN_CLOSE);
    for (int i = 0; i < 20; i++)
        assert_true(http_stage_post(f, "{}"));
    assert_int_equal(f->connections, 20);
}

static void a_password_is_sent_but_never_shown(void **state)
{
    struct http_stage *f = *state;
    struct http *h = http_new(&(struct http_options){
        .user = "crier", .password = CANARY, .connect_ms = CONNECT_MS, .timeout_ms = PATIENCE_MS});
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
    struct http_stage *f = *state;

    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("all_proxy", "http://127.0.0.1:1/", 1);
    assert_true(http_stage_post(f, "{}"));
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static void a_redirect_is_not_followed(void **state)
{
    struct http_stage *f = *state;

    http_stage_answer(f, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", THEN_READ_ON);
    assert_true(http_stage_post(f, "{}"));
    assert_int_equal(f->reply.status, 302);
    assert_true(text_starts(f->request.bytes.data, "POST /path"));
}

static void only_http_is_spoken(void **state)
{
    struct http_stage *f = *state;

    assert_false(
        http_send(f->http, &(struct http_request){.method = "GET", .url = "file:///etc/passwd"}, &f->reply, &f->err));
    assert_false(f->reply.may_have_effect);
}

static void bodies_are_packed_from_1_kib_on(void **state)
{
    struct http_stage *f = *state;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_stage_open, http_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_sent_as_it_was_given),  TEST(every_method_goes_out_under_its_name),
        TEST(a_head_request_waits_for_no_body),   TEST(a_large_body_waits_for_no_permission),
        TEST(requests_share_one_connection),      TEST(a_connection_the_server_closed_is_made_anew),
        TEST(a_password_is_sent_but_never_shown), TEST(no_proxy_is_taken_from_the_environment),
        TEST(a_redirect_is_not_followed),         TEST(only_http_is_spoken),
        TEST(bodies_are_packed_from_1_kib_on),    cmocka_unit_test(a_path_segment_is_always_one_segment),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
