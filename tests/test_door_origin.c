/*
 * Web pages that have a browser on this machine ask a door that needs no token here: from their own origin, and by a
 * name of theirs that leads to 127.0.0.1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/http.h"
#include "notifier/door_origin.h"
#include "support/process.h"
#include "support/scene.h"
#include "support/serve_client.h"

#define EVENT                                                                                                          \
    "{\"specversion\":\"1.0\",\"id\":\"a\",\"source\":\"/s\",\"type\":\"user.updated\",\"subject\":\"users/1\"}"

struct stage {
    struct scene *scene;
    struct server *serve;
    struct buf text; /* of the last answer */
};

static int open_stage(void **state, const char *http)
{
    struct stage *s = xcalloc(1, sizeof *s);
    char ini[500];

    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n%s[queue changes]\nevents = user.*\n"
             "[handler users]\ntype = webhook\nqueue = changes\nschedule = every 100ms\nhttp = yes\nports = 9\n"
             "allow = 127.0.0.0/8\n",
             http);
    buf_init(&s->text);
    s->scene = scene_open(ini);
    s->serve = crier_serve_start(s->scene->config_path);
    *state = s;
    return 0;
}

static int setup(void **state)
{
    return open_stage(state, "origins = https://a.example.org\n");
}

static int setup_tokens(void **state)
{
    return open_stage(state, "access = tokens\norigins = https://a.example.org\n");
}

static int teardown(void **state)
{
    struct stage *s = *state;

    server_free(s->serve);
    scene_close(s->scene);
    buf_release(&s->text);
    free(s);
    return 0;
}

/* What a browser says of itself; NULL: it does not. */
struct said {
    const char *host, *origin, *site;
};

static long ask(struct stage *s, const struct said *said, struct serve_request r)
{
    struct http_header headers[3];

    if (said->host)
        headers[r.header_count++] = (struct http_header){"Host", said->host};
    if (said->origin)
        headers[r.header_count++] = (struct http_header){"Origin", said->origin};
    if (said->site)
        headers[r.header_count++] = (struct http_header){"Sec-Fetch-Site", said->site};
    r.headers = headers;
    return serve_ask(s->serve, &r, &s->text);
}

/* "127.0.0.1:PORT", or another host at the port of the door. */
static const char *at_port(const struct stage *s, const char *host)
{
    static char text[100];

    snprintf(text, sizeof text, "%s%s", host, strrchr(s->serve->url, ':'));
    return text;
}

static const char subscription[] = "{\"url\":\"http://127.0.0.1:9/\"}";

static void expect(struct stage *s, long status, const char *says, const struct said *said, struct serve_request r)
{
    long answered = ask(s, said, r);

    if (answered != status || !strstr(s->text.data, says))
        fail_msg("%s %s, Host %s, Origin %s, Sec-Fetch-Site %s: %ld %s", r.method, r.path, said->host, said->origin,
                 said->site, answered, s->text.data);
}

static void assert_no_subscription(struct stage *s)
{
    expect(s, 200, "[]", &(struct said){0}, (struct serve_request){.method = "GET", .path = "/webhooks"});
}

#define SUBSCRIBE ((struct serve_request){.method = "POST", .path = "/webhooks", .body = subscription})

static void a_name_that_leads_here_opens_nothing_without_a_token(void **state)
{
    static const char *const paths[] = {"/webhooks", "/operations/op-1", "/stream", "/metrics"};
    static const char *const names[] = {
        "evil.example",    "evil.example:8960",      "127.0.0.1.evil.example", "127.evil.org",       "localhost.org",
        "localhost:1.org", "localhost.evil.example", "0.0.0.0:8960",           "[::1].evil.example", "[::2]:8960",
        "128.0.0.1",       "localhostevil.example:1"};
    struct stage *s = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct said own = {.host = names[i]};
        char origin[100];

        expect(s, 401, "Host has another name", &own, SUBSCRIBE);
        snprintf(origin, sizeof origin, "http://%s", names[i]);
        own.origin = origin;
        own.site = "same-origin";
        expect(s, 401, "Host has another name", &own, SUBSCRIBE);
        expect(s, 401, "crier tokens create", &own,
               (struct serve_request){.method = "POST", .path = "/events", .body = EVENT});
        for (size_t k = 0; k < ARRAY_LENGTH(paths); k++)
            expect(s, 401, "", &own, (struct serve_request){.method = "GET", .path = paths[k]});
        expect(s, 200, "", &own, (struct serve_request){.method = "GET", .path = "/health/live"});
    }
    assert_no_subscription(s);
    assert_int_equal(scene_redis(s->scene, "XLEN crier:{changes}:stream")->integer, 0);
}

static void a_page_of_another_origin_changes_nothing(void **state)
{
    static const struct said pages[] = {
        {.origin = "http://evil.example"               },
        {.origin = "https://evil.example",               .site = "cross-site"},
        {.origin = "null"                                             },
        {.origin = "http://localhost:1", .site = "same-site"},
        {.origin = "https://a.example.org.evil.example"                          },
        {.site = "cross-site"},
    };
    struct stage *s = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        struct serve_request simple = SUBSCRIBE; /* what a page may send without asking first */

        simple.content_type = "text/plain";
        expect(s, 403, "[http] origins", &pages[i], simple);
        expect(s, 403, "[http] origins", &pages[i], SUBSCRIBE);
        expect(s, 403, "[http] origins", &pages[i], (struct serve_request){.method = "DELETE", .path = "/webhooks/a"});
        expect(s, 403, "[http] origins", &pages[i],
               (struct serve_request){.method = "POST", .path = "/events", .body = EVENT});
        expect(s, 403, "[http] origins", &pages[i], (struct serve_request){.method = "GET", .path = "/stream"});
        if (pages[i].origin)
            expect(s, 403, "[http] origins", &pages[i], (struct serve_request){.method = "GET", .path = "/metrics"});
        expect(s, 200, "", &pages[i], (struct serve_request){.method = "GET", .path = "/health/live"});
    }
    assert_no_subscription(s);
    assert_int_equal(scene_redis(s->scene, "XLEN crier:{changes}:stream")->integer, 0);
}

static void this_machine_and_the_pages_on_the_list_are_served(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "LocalHost", "[::1]", "127.8.9.10"};
    struct stage *s = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        char own[120];

        expect(s, 201, "", &(struct said){.host = hosts[i]}, SUBSCRIBE);
        expect(s, 201, "", &(struct said){.host = at_port(s, hosts[i])}, SUBSCRIBE);
        snprintf(own, sizeof own, "http://%s", at_port(s, hosts[i]));
        expect(s, 201, "", &(struct said){.host = at_port(s, hosts[i]), .origin = own, .site = "same-origin"},
               SUBSCRIBE);
    }
    expect(s, 201, "", &(struct said){.origin = "https://a.example.org", .site = "cross-site"}, SUBSCRIBE);
    expect(s, 202, "", &(struct said){0}, (struct serve_request){.method = "POST", .path = "/events", .body = EVENT});
    /* a link that somebody follows */
    expect(s, 200, "", &(struct said){.site = "cross-site"},
           (struct serve_request){.method = "GET", .path = "/metrics"});
}

static void a_token_opens_by_any_name_but_not_to_any_page(void **state)
{
    struct stage *s = *state;
    char *token = serve_token_known(s->serve, s->scene->config_path, "webhooks", NULL);
    struct serve_request r = SUBSCRIBE;

    expect(s, 401, "a token is needed", &(struct said){.host = "crier.example.org"}, r);
    r.token = token;
    expect(s, 201, "", &(struct said){.host = "crier.example.org"}, r);
    expect(s, 201, "", &(struct said){.host = "crier.example.org", .origin = "https://crier.example.org"}, r);
    expect(s, 201, "", &(struct said){.host = "crier.example.org", .origin = "https://a.example.org"}, r);
    expect(s, 403, "[http] origins", &(struct said){.host = "crier.example.org", .origin = "https://evil.example"}, r);
    free(token);
}

static void a_host_without_a_name_is_this_machine(void **state)
{
    (void)state;
    assert_true(host_is_of_this_machine(NULL));
    assert_true(host_is_of_this_machine("[::1]"));
    assert_false(host_is_of_this_machine(""));
    assert_false(host_is_of_this_machine(":8960"));
    assert_false(host_is_of_this_machine("127.1"));
    assert_false(origin_is_of_host("https://a", NULL));
    assert_false(origin_is_of_host("null", "null"));
    assert_false(origin_is_of_host("http://a:1", "a:2"));
}

#define TEST(name, how) cmocka_unit_test_setup_teardown(name, how, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_leads_here_opens_nothing_without_a_token, setup),
        TEST(a_page_of_another_origin_changes_nothing, setup),
        TEST(this_machine_and_the_pages_on_the_list_are_served, setup),
        TEST(a_token_opens_by_any_name_but_not_to_any_page, setup_tokens),
        cmocka_unit_test(a_host_without_a_name_is_this_machine),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
