/*
 * The guard of addresses where every address answers: what is not reached here, only the guard kept from being reached.
 * In namespaces of network and mounts, with names told by the test; skipped where the kernel gives none.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attrs.h"
#include "base/clock.h"
#include "base/http.h"
#include "handlers/webhook/guarded_post.h"
#include "handlers/webhook/post_loop.h"
#include "support/hook_server.h"
#include "support/private_net.h"

#define PUBLIC     "93.184.216.34"
#define PUBLIC_SIX "2606:2800:220:1:248:1893:25c8:1946"

enum { SKIPPED = 77, PATIENCE = 3000 };

static const struct hostile {
    const char *address;
    bool silent; /* no connection can be made to it, or not on every kernel */
} hostile[] = {
    {"127.0.0.1",                            false},
    {"127.0.0.53",                           false},
    {"127.1.2.3",                            false},
    {"127.255.255.254",                      false},
    {"0.0.0.0",                              false},
    {"0.1.2.3",                              true },
    {"10.0.0.1",                             false},
    {"10.96.0.1",                            false},
    {"10.255.255.254",                       false},
    {"100.64.0.1",                           false},
    {"100.100.100.200",                      false},
    {"100.127.255.254",                      false},
    {"169.254.0.1",                          false},
    {"169.254.169.254",                      false},
    {"169.254.170.2",                        false},
    {"172.16.0.1",                           false},
    {"172.17.0.1",                           false},
    {"172.31.255.254",                       false},
    {"192.0.0.1",                            false},
    {"192.0.0.170",                          false},
    {"192.0.2.1",                            false},
    {"192.31.196.1",                         false},
    {"192.52.193.1",                         false},
    {"192.88.99.1",                          false},
    {"192.168.0.1",                          false},
    {"192.168.1.254",                        false},
    {"192.168.255.254",                      false},
    {"192.175.48.1",                         false},
    {"198.18.0.1",                           false},
    {"198.19.255.254",                       false},
    {"198.51.100.1",                         false},
    {"203.0.113.1",                          false},
    {"224.0.0.1",                            true },
    {"239.255.255.250",                      true },
    {"240.0.0.1",                            false},
    {"255.255.255.255",                      true },
    {"::1",                                  false},
    {"::",                                   false},
    {"::127.0.0.1",                          false},
    {"::10.0.0.1",                           false},
    {"::ffff:127.0.0.1",                     false},
    {"::ffff:10.0.0.1",                      false},
    {"::ffff:169.254.169.254",               false},
    {"::ffff:100.64.0.1",                    false},
    {"::ffff:0:127.0.0.1",                   false},
    {"64:ff9b::127.0.0.1",                   false},
    {"64:ff9b::10.0.0.1",                    false},
    {"64:ff9b::169.254.169.254",             false},
    {"64:ff9b:1::10.0.0.1",                  false},
    {"100::1",                               false},
    {"2001::1",                              false},
    {"2001:0:7f00:1::",                      false},
    {"2001:0:4136:e378:8000:63bf:3fff:fdd2", false},
    {"2001:10::1",                           false},
    {"2001:20::1",                           false},
    {"2001:db8::1",                          false},
    {"2002:7f00:1::1",                       false},
    {"2002:a00:1::1",                        false},
    {"2002:a9fe:a9fe::1",                    false},
    {"2620:4f:8000::1",                      false},
    {"2a00:1450::5efe:127.0.0.1",            false},
    {"2a00:1450::200:5efe:10.0.0.1",         false},
    {"3ffe::1",                              false},
    {"3fff::1",                              false},
    {"4000::1",                              false},
    {"5f00::1",                              false},
    {"fc00::1",                              false},
    {"fd00:ec2::254",                        false},
    {"fd12:3456:789a::1",                    false},
    {"fec0::1",                              false},
    {"ff02::1",                              true },
    {"ff0e::1",                              true },
};

/* hN.test: the N-th of them; the others by their names. */
static const char *tell(const char *name, bool six, size_t lookup)
{
    size_t i;

    if (sscanf(name, "h%zu.test", &i) == 1 && i < ARRAY_LENGTH(hostile))
        return six == (strchr(hostile[i].address, ':') != NULL) ? hostile[i].address : "";
    if (strcmp(name, "rebind.test") == 0)
        return six ? "" : lookup == 0 ? PUBLIC : "127.0.0.1";
    if (strcmp(name, "two.test") == 0)
        return six ? "" : PUBLIC " 10.0.0.5";
    if (strcmp(name, "kinds.test") == 0)
        return six ? "fd00::5" : PUBLIC;
    if (strcmp(name, "silent.test") == 0)
        return NULL;
    if (strcmp(name, "public.test") == 0)
        return six ? "" : PUBLIC;
    return strcmp(name, "six.test") == 0 && six ? PUBLIC_SIX : "";
}

struct stage {
    struct address_guard *guard;
    struct hook_server *server;
    struct post_options options;
    struct guarded_post *post;
    struct post_reply reply;
    struct error err;
    char ports[20];
    size_t controls; /* connections of the test's own */
};

static struct stage *stage_open(void)
{
    static struct stage s;

    s = (struct stage){.reply = POST_REPLY_INIT};
    s.guard = address_guard_new("", &s.err);
    s.server = hook_server_start("::");
    snprintf(s.ports, sizeof s.ports, "%d", hook_server_port(s.server));
    s.options = (struct post_options){.guard = s.guard, .ports = s.ports, .http_allowed = true, .timeout_ms = 5000};
    s.post = guarded_post_new(&s.options);
    return &s;
}

static void stage_close(struct stage *s)
{
    guarded_post_free(s->post);
    hook_server_free(s->server);
    address_guard_free(s->guard);
    buf_release(&s->reply.body);
}

static const char *const headers[] = {"Content-Type: text/plain", NULL};

static bool post(struct stage *s, const char *host)
{
    bool six = strchr(host, ':') != NULL;
    char url[120];

    snprintf(url, sizeof url, six ? "http://[%s]:%s/" : "http://%s:%s/", host, s->ports);
    return guarded_post_send(s->post, &(struct post_request){url, "hello", 5, headers}, &s->reply, &s->err);
}

/* Without any guard. */
static bool reach(struct stage *s, const char *address)
{
    bool six = strchr(address, ':') != NULL;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)hook_server_port(s->server))};
    struct sockaddr_in6 longer = {.sin6_family = AF_INET6, .sin6_port = four.sin_port};
    int file = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;

    assert_int_equal(
        inet_pton(six ? AF_INET6 : AF_INET, address, six ? (void *)&longer.sin6_addr : (void *)&four.sin_addr), 1);
    ok = (six ? connect(file, (struct sockaddr *)&longer, sizeof longer)
              : connect(file, (struct sockaddr *)&four, sizeof four)) == 0;
    close(file);
    s->controls += ok;
    return ok;
}

/* Connections come in the order in which they were made: after one of the test's own, none may be missing or too many.
 */
static void expect_connections(struct stage *s, size_t guarded)
{
    assert_true(reach(s, "127.0.0.1"));
    for (int i = 0; hook_server_connections(s->server) < s->controls + guarded && i < PATIENCE; i++)
        usleep(20000);
    assert_int_equal(hook_server_connections(s->server), s->controls + guarded);
}

static void what_is_public_is_reached(void **state)
{
    struct stage *s = stage_open();
    static const char *const hosts[] = {"public.test", "six.test", PUBLIC, PUBLIC_SIX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        if (!post(s, hosts[i]))
            fail_msg("%s: %s", hosts[i], s->err.text);
        assert_int_equal(s->reply.status, 200);
    }
    assert_int_equal(hook_server_count(s->server), ARRAY_LENGTH(hosts));
    stage_close(s);
}

static void what_is_not_public_would_have_answered_and_is_not_reached(void **state)
{
    struct stage *s = stage_open();
    char name[20];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(hostile); i++) {
        if (!reach(s, hostile[i].address) && !hostile[i].silent)
            fail_msg("%s does not answer", hostile[i].address);
        snprintf(name, sizeof name, "h%zu.test", i);
        if (post(s, name) || !s->reply.blocked)
            fail_msg("%s is reached by its name", hostile[i].address);
        assert_int_equal(private_net_asked(name), 2); /* it is the name's addresses that were looked at */
        if (post(s, hostile[i].address) || !s->reply.blocked)
            fail_msg("%s is reached", hostile[i].address);
    }
    expect_connections(s, 0);
    print_message("%zu addresses, %zu of them reached without the guard\n", ARRAY_LENGTH(hostile), s->controls - 1);
    stage_close(s);
}

static void many_at_a_time_are_not_reached_either(void **state)
{
    struct stage *s = stage_open();
    struct post_loop *loop = post_loop_new(&s->options);
    char urls[ARRAY_LENGTH(hostile) + 1][60];
    struct post_result result;
    size_t done = 0, blocked = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(urls); i++) {
        snprintf(urls[i], sizeof urls[i], "http://h%zu.test:%s/", i, s->ports);
        if (i == ARRAY_LENGTH(hostile))
            snprintf(urls[i], sizeof urls[i], "http://public.test:%s/", s->ports);
        post_loop_begin(loop, &(struct post_request){urls[i], "hello", 5, headers}, urls[i]);
    }
    while (done < ARRAY_LENGTH(urls)) {
        post_loop_wait(loop, 5000);
        for (; post_loop_next(loop, &result); done++) {
            blocked += result.reply->blocked;
            assert_int_equal(result.ok, result.context == urls[ARRAY_LENGTH(hostile)]);
        }
    }
    assert_int_equal(blocked, ARRAY_LENGTH(hostile));
    expect_connections(s, 1);
    post_loop_free(loop);
    stage_close(s);
}

/* Two queries a request, for A and AAAA: nobody looks a second time, between the check and the connection. */
static void a_name_that_changes_its_address_leads_nowhere_new(void **state)
{
    struct stage *s = stage_open();

    (void)state;
    assert_true(post(s, "rebind.test"));
    assert_int_equal(private_net_asked("rebind.test"), 2);
    assert_int_equal(hook_server_count(s->server), 1);
    assert_false(post(s, "rebind.test"));
    assert_true(s->reply.blocked);
    assert_non_null(strstr(s->err.text, "127.0.0.1"));
    assert_int_equal(private_net_asked("rebind.test"), 4);
    expect_connections(s, 1);
    stage_close(s);
}

/* By the system's own settings it would take ten seconds, and with three servers and a search list minutes. */
static void a_name_server_that_is_silent_is_given_up_after_some_seconds(void **state)
{
    int64_t before_ms = clock_monotonic_ms();
    struct addresses found;
    struct error err;

    (void)state;
    assert_false(resolver_system("silent.test", 60000, &found, &err));
    assert_non_null(strstr(err.text, "silent.test: "));
    assert_in_range(clock_monotonic_ms() - before_ms, 2000, 30000);
    assert_int_equal(private_net_asked("silent.test"), 4); /* twice for each kind */
}

static void one_bad_address_among_good_ones_blocks_all(void **state)
{
    struct stage *s = stage_open();
    static const char *const hosts[] = {"two.test", "kinds.test"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++)
        if (post(s, hosts[i]) || !s->reply.blocked)
            fail_msg("%s is reached", hosts[i]);
    expect_connections(s, 0);
    stage_close(s);
}

static void a_redirect_inwards_is_not_followed(void **state)
{
    struct stage *s = stage_open();
    char answer[200];

    (void)state;
    snprintf(answer, sizeof answer,
             "HTTP/1.1 307 Over there\r\nLocation: http://10.0.0.1:%s/\r\nContent-Length: 0\r\n\r\n", s->ports);
    hook_server_answer(s->server, answer);
    assert_true(reach(s, "10.0.0.1"));
    assert_true(post(s, "public.test"));
    assert_int_equal(s->reply.status, 307);
    expect_connections(s, 1);
    assert_int_equal(hook_server_count(s->server), 1);
    stage_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_public_is_reached),
        cmocka_unit_test(what_is_not_public_would_have_answered_and_is_not_reached),
        cmocka_unit_test(many_at_a_time_are_not_reached_either),
        cmocka_unit_test(a_name_that_changes_its_address_leads_nowhere_new),
        cmocka_unit_test(a_name_server_that_is_silent_is_given_up_after_some_seconds),
        cmocka_unit_test(one_bad_address_among_good_ones_blocks_all),
        cmocka_unit_test(a_redirect_inwards_is_not_followed),
    };
    const char *why;

    if (!private_net_enter(&why)) {
        printf("skipped: %s\n", why);
        return SKIPPED;
    }
    http_global_init();
    private_net_tell(tell);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
