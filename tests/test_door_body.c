#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/alloc.h"
#include "support/door_client.h"

static struct buf gzipped(const char *bytes, size_t length)
{
    struct buf out = BUF_INIT;
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)bytes;
    z.avail_in = (unsigned)length;
    z.avail_out = (unsigned)deflateBound(&z, length);
    z.next_out = (unsigned char *)buf_grow(&out, z.avail_out);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_grown(&out, z.total_out);
    deflateEnd(&z);
    return out;
}

static long post_gzip(struct door_client *c, const char *type, const struct buf *body)
{
    const char *const headers[] = {type, "Content-Encoding: gzip", NULL};

    return client_request(c, "POST", "/events", headers, body->data, body->length);
}

static void gzipped_bodies_are_taken_in_each_form(void **state)
{
    struct door_client *c = *state;
    struct buf one = gzipped(EVENT("a"), strlen(EVENT("a")));
    struct buf batch = gzipped("[" EVENT("b") "]", strlen(EVENT("b")) + 2);
    struct buf first = gzipped(EVENT("c") "\n", strlen(EVENT("c")) + 1);
    struct buf second = gzipped(EVENT("d") "\n", strlen(EVENT("d")) + 1);

    assert_int_equal(post_gzip(c, STRUCTURED, &one), 202);
    assert_int_equal(post_gzip(c, BATCH, &batch), 202);
    buf_add(&first, second.data, second.length); /* two members make one file (RFC 1952) */
    assert_int_equal(post_gzip(c, LINES, &first), 202);
    assert_int_equal(json_array_size(c->json), 2);
    assert_int_equal(client_stream_length(c, "changes"), 4);
    buf_release(&one);
    buf_release(&batch);
    buf_release(&first);
    buf_release(&second);
}

static void a_gzipped_body_that_grows_beyond_the_limit_is_413(void **state)
{
    struct door_client *c = *state;
    size_t length = 32 * 1024 * 1024;
    char *blanks = xmalloc(length);
    struct buf bomb;

    memset(blanks, ' ', length);
    bomb = gzipped(blanks, length);
    assert_true(bomb.length < 40000);
    assert_int_equal(post_gzip(c, JSON, &bomb), 413);
    bomb.length = 0;
    buf_release(&bomb);
    bomb = gzipped(blanks, 65536 - strlen(EVENT("a"))); /* exactly the limit */
    buf_reset(&bomb);
    memcpy(blanks + 65536 - strlen(EVENT("a")), EVENT("a"), strlen(EVENT("a")));
    buf_release(&bomb);
    bomb = gzipped(blanks, 65536);
    assert_int_equal(post_gzip(c, LINES, &bomb), 202);
    assert_string_equal(client_outcome(c, 0), "accepted");
    buf_release(&bomb);
    free(blanks);
}

static void what_is_no_whole_gzip_is_400(void **state)
{
    struct door_client *c = *state;
    struct buf body = gzipped(EVENT("a"), strlen(EVENT("a")));

    body.length -= 5;
    assert_int_equal(post_gzip(c, STRUCTURED, &body), 400);
    body.length += 5;
    body.data[body.length - 7] ^= 1; /* its checksum */
    assert_int_equal(post_gzip(c, STRUCTURED, &body), 400);
    body.data[body.length - 7] ^= 1;
    buf_add_text(&body, "garbage");
    assert_int_equal(post_gzip(c, STRUCTURED, &body), 400);
    buf_reset(&body);
    buf_add_text(&body, "plain");
    assert_int_equal(post_gzip(c, STRUCTURED, &body), 400);
    assert_non_null(strstr(client_reason(c, 0), "gzip"));
    assert_int_equal(client_stream_length(c, "changes"), 0);
    buf_release(&body);
}

static void too_long_is_413_and_one_event_too_long_harms_no_other(void **state)
{
    struct door_client *c = *state;
    const char *const chunked[] = {JSON, "Transfer-Encoding: chunked", NULL};
    struct buf body = BUF_INIT;

    buf_printf(&body, "{\"event_type\":\"user.a\",\"payload\":{\"x\":\"%*s\"}}", 4096, "");
    assert_int_equal(client_post(c, JSON, body.data), 413);
    buf_add_text(&body, "\n" EVENT("a") "\n");
    assert_int_equal(client_post(c, LINES, body.data), 202);
    assert_string_equal(client_outcome(c, 0), "refused");
    assert_string_equal(client_outcome(c, 1), "accepted");
    buf_printf(&body, "%*s", 65537, "");
    assert_int_equal(client_post(c, LINES, body.data), 413);
    assert_int_equal(client_request(c, "POST", "/events", chunked, body.data, body.length), 413);
    buf_reset(&body);
    for (int i = 0; i < 101; i++)
        buf_add_text(&body, "{}\n");
    assert_int_equal(client_post(c, LINES, body.data), 413);
    assert_int_equal(client_stream_length(c, "changes"), 1);
    buf_release(&body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, client_door_open, client_door_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gzipped_bodies_are_taken_in_each_form),
        TEST(a_gzipped_body_that_grows_beyond_the_limit_is_413),
        TEST(what_is_no_whole_gzip_is_400),
        TEST(too_long_is_413_and_one_event_too_long_harms_no_other),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
