/* What an HTTP server may answer over one link, or not answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "support/http_stage.h"
#include "support/server.h"

static void the_wait_a_server_asks_for_is_passed_on(void **state)
{
    struct http_stage *f = *state;

    http_stage_answer(f, "HTTP/1.1 429 X\r\nRetry-After: 17\r\nContent-Length: 4\r\n\r\nbusy", THEN_READ_ON);
    assert_true(http_stage_post(f, "{}"));
    assert_int_equal(f->reply.status, 429);
    assert_int_equal(f->reply.retry_after_s, 17);
    assert_string_equal(f->reply.body.data, "busy");
    http_stage_answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", THEN_READ_ON);
    assert_true(http_stage_post(f, "{}"));
    assert_int_equal(f->reply.retry_after_s, -1);
    assert_int_equal(f->reply.body.length, 0);
}

static void a_reply_in_chunks_is_put_together(void **state)
{
    struct http_stage *f = *state;

    http_stage_answer(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
                      THEN_READ_ON);
    assert_true(http_stage_post(f, "{}"));
    assert_string_equal(f->reply.body.data, "abcdefg");
}

/* What of a reply is not whole counts as none; the request may have been carried out. */
static void no_whole_reply(struct http_stage *f)
{
    assert_false(http_stage_post(f, "{}"));
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
    struct http_stage *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(replies); i++) {
        http_stage_answer(f, replies[i], THEN_CLOSE);
        no_whole_reply(f);
    }
}

static void a_server_that_says_nothing_is_left_in_time(void **state)
{
    static const char *const replies[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"};
    enum { TIMEOUT_MS = 1000 };
    struct http_stage *f = *state;

    http_free(f->http);
    f->http = http_new(&(struct http_options){.connect_ms = CONNECT_MS, .timeout_ms = TIMEOUT_MS});
    for (size_t i = 0; i < ARRAY_LENGTH(replies); i++) {
        int64_t start_ms = clock_monotonic_ms();

        http_stage_answer(f, replies[i], THEN_WAIT);
        no_whole_reply(f);
        assert_in_range(clock_monotonic_ms() - start_ms, TIMEOUT_MS - 50, 30 * TIMEOUT_MS);
    }
}

static void a_refused_connection_had_no_effect(void **state)
{
    struct http_stage *f = *state;

    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/", port_find());
    assert_false(http_stage_post(f, "{}"));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_false(f->reply.may_have_effect);
    snprintf(f->url, sizeof f->url, "http://no-such-host.invalid/");
    assert_false(http_stage_post(f, "{}"));
    assert_false(f->reply.may_have_effect);
}

static void a_server_that_does_not_speak_tls_had_no_effect(void **state)
{
    struct http_stage *f = *state;

    http_stage_answer(f, "HTTP/1.1 400 no\r\n\r\n", THEN_CLOSE);
    snprintf(f->url, sizeof f->url, "https://127.0.0.1:%d/", f->port);
    assert_false(http_stage_post(f, "{}"));
    assert_false(f->reply.may_have_effect);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, http_stage_open, http_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_wait_a_server_asks_for_is_passed_on), TEST(a_reply_in_chunks_is_put_together),
        TEST(a_reply_cut_short_is_no_reply),           TEST(a_server_that_says_nothing_is_left_in_time),
        TEST(a_refused_connection_had_no_effect),      TEST(a_server_that_does_not_speak_tls_had_no_effect),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
