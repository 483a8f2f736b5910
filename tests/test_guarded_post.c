/* Requests that others aim reach nothing they should not, and no answer can hold them up or fill the memory. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/text.h"
#include "handlers/webhook/guarded_post.h"
#include "support/hook_server.h"

/* What the tests' resolver says, one round of addresses after the other; the last one stays. */
static const char *rounds[4];
static int asked;

static bool resolver_of_test(const char *host, int wait_ms, struct addresses *out, struct error *err)
{
    const char *round = rounds[asked], *word;
    size_t length;

    (void)host;
    (void)wait_ms;
    (void)err;
    if (rounds[asked + 1])
        asked++;
    out->count = 0;
    while (text_word(&round, &word, &length)) {
        struct sockaddr_in *one = (struct sockaddr_in *)&out->items[out->count++];
        char text[40];

        snprintf(text, sizeof text, "%.*s", (int)length, word);
        *one = (struct sockaddr_in){.sin_family = AF_INET};
        assert_int_equal(inet_pton(AF_INET, text, &one->sin_addr), 1);
    }
    return true;
}

struct stage {
    struct address_guard *guard;
    struct hook_server *server;
    struct guarded_post *post;
    struct post_reply reply;
    struct error err;
    char ports[20];
};

static struct stage *stage_open(const char *allowed, bool own_resolver)
{
    static struct stage s;

    s = (struct stage){.reply = POST_REPLY_INIT};
    s.guard = address_guard_new(allowed, &s.err);
    assert_non_null(s.guard);
    s.server = hook_server_start("127.0.0.1");
    snprintf(s.ports, sizeof s.ports, "%d", hook_server_port(s.server));
    s.post = guarded_post_new(&(struct post_options){.guard = s.guard,
                                                     .ports = s.ports,
                                                     .http_allowed = true,
                                                     .timeout_ms = 4000,
                                                     .resolve = own_resolver ? resolver_of_test : NULL});
    asked = 0;
    memset(rounds, 0, sizeof rounds);
    return &s;
}

static void stage_close(struct stage *s)
{
    guarded_post_free(s->post);
    hook_server_free(s->server);
    address_guard_free(s->guard);
    buf_release(&s->reply.body);
}

static bool post(struct stage *s, const char *host)
{
    static const char *const headers[] = {"Content-Type: text/plain", NULL};
    char url[300];

    snprintf(url, sizeof url, "http://%s:%s/hook", host, s->ports);
    return guarded_post_send(s->post, &(struct post_request){url, "hello", 5, headers}, &s->reply, &s->err);
}

/* ------------------------------------------------------------------------------------------------------ addresses */

static void what_is_allowed_is_reached_and_the_rest_is_not(void **state)
{
    struct stage *s = stage_open("127.0.0.1/32", false);

    (void)state;
    assert_true(post(s, "127.0.0.1"));
    assert_int_equal(s->reply.status, 200);
    assert_string_equal(hook_server_body(s->server, 0), "hello");
    assert_false(post(s, "127.0.0.2"));
    assert_true(s->reply.blocked);
    assert_int_equal(hook_server_count(s->server), 1);
    stage_close(s);
}

static void the_checked_address_is_the_one_connected_to(void **state)
{
    struct stage *s = stage_open("127.0.0.1/32", true);

    (void)state;
    rounds[0] = "127.0.0.1";
    rounds[1] = "127.0.0.9"; /* what a second look would have found */
    assert_true(post(s, "rebind.example.org"));
    assert_int_equal(asked, 1);
    assert_int_equal(hook_server_count(s->server), 1);
    assert_false(post(s, "rebind.example.org"));
    assert_true(s->reply.blocked);
    assert_int_equal(hook_server_count(s->server), 1);
    stage_close(s);
}

static void one_bad_address_among_good_ones_blocks_all(void **state)
{
    struct stage *s = stage_open("127.0.0.1/32", true);

    (void)state;
    rounds[0] = "127.0.0.1 169.254.169.254";
    assert_false(post(s, "two.example.org"));
    assert_true(s->reply.blocked);
    assert_non_null(strstr(s->err.text, "169.254.169.254"));
    assert_int_equal(hook_server_connections(s->server), 0);
    stage_close(s);
}

/* ------------------------------------------------------------------------------------------------------- answers */

static void redirects_are_not_followed(void **state)
{
    static const char *const codes[] = {"301 A", "302 B", "303 C", "307 D", "308 E"};
    struct stage *s = stage_open("127.0.0.0/8", false);
    struct hook_server *other = hook_server_start("127.0.0.1");

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        char answer[200];

        snprintf(answer, sizeof answer, "HTTP/1.1 %s\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n",
                 codes[i], hook_server_port(other));
        hook_server_answer(s->server, answer);
        assert_true(post(s, "127.0.0.1"));
        assert_int_equal(s->reply.status, atoi(codes[i]));
    }
    assert_int_equal(hook_server_connections(other), 0);
    hook_server_free(other);
    stage_close(s);
}

static void a_reply_without_end_is_cut(void **state)
{
    struct stage *s = stage_open("127.0.0.0/8", false);
    int64_t start_ms = clock_monotonic_ms();

    (void)state;
    hook_server_behave(s->server, HOOK_FLOOD);
    assert_true(post(s, "127.0.0.1"));
    assert_int_equal(s->reply.status, 200);
    assert_int_equal(s->reply.body.length, POST_REPLY_BYTES_MOST);
    assert_true(s->reply.body.room < 4 * POST_REPLY_BYTES_MOST);
    hook_server_behave(s->server, HOOK_ENDLESS_HEAD);
    assert_false(post(s, "127.0.0.1"));
    assert_int_equal(s->reply.status, 0);
    assert_int_equal(s->err.kind, ERROR_AGAIN);
    assert_in_range(clock_monotonic_ms() - start_ms, 0, 20000);
    stage_close(s);
}

static void a_bomb_stays_packed(void **state)
{
    struct stage *s = stage_open("127.0.0.0/8", false);

    (void)state;
    hook_server_answer(s->server,
                       "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01");
    assert_true(post(s, "127.0.0.1"));
    assert_int_equal(s->reply.body.length, 4);
    assert_memory_equal(s->reply.body.data, "\x1f\x8b\x08\x01", 4);
    stage_close(s);
}

static void silence_and_resets_end_in_time(void **state)
{
    struct stage *s = stage_open("127.0.0.0/8", false);
    int64_t start_ms = clock_monotonic_ms();

    (void)state;
    hook_server_behave(s->server, HOOK_HANG);
    assert_false(post(s, "127.0.0.1"));
    assert_in_range(clock_monotonic_ms() - start_ms, 1400, 20000);
    hook_server_behave(s->server, HOOK_RESET);
    assert_false(post(s, "127.0.0.1"));
    assert_int_equal(s->err.kind, ERROR_AGAIN);
    assert_false(s->reply.blocked);
    stage_close(s);
}

static void how_long_to_wait_is_read(void **state)
{
    struct stage *s = stage_open("127.0.0.0/8", false);

    (void)state;
    hook_server_answer(s->server, "HTTP/1.1 429 Busy\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n");
    assert_true(post(s, "127.0.0.1"));
    assert_int_equal(s->reply.status, 429);
    assert_int_equal(s->reply.retry_after_s, 17);
    hook_server_answer(s->server, NULL);
    assert_true(post(s, "127.0.0.1"));
    assert_int_equal(s->reply.retry_after_s, -1);
    stage_close(s);
}

static void a_peer_without_a_good_certificate_gets_nothing(void **state)
{
    struct stage *s = stage_open("127.0.0.0/8", false);
    const char *const headers[] = {NULL};
    char url[100];

    (void)state;
    snprintf(url, sizeof url, "https://127.0.0.1:%s/", s->ports);
    assert_false(guarded_post_send(s->post, &(struct post_request){url, "hello", 5, headers}, &s->reply, &s->err));
    assert_int_equal(s->err.kind, ERROR_AGAIN);
    assert_int_equal(hook_server_count(s->server), 0);
    stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_allowed_is_reached_and_the_rest_is_not),
        cmocka_unit_test(the_checked_address_is_the_one_connected_to),
        cmocka_unit_test(one_bad_address_among_good_ones_blocks_all),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(a_reply_without_end_is_cut),
        cmocka_unit_test(a_bomb_stays_packed),
        cmocka_unit_test(silence_and_resets_end_in_time),
        cmocka_unit_test(how_long_to_wait_is_read),
        cmocka_unit_test(a_peer_without_a_good_certificate_gets_nothing),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
