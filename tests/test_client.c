/* OpenSearch as its client sees it: several hosts, the server's own words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "indexer/client.h"
#include "support/fault_proxy.h"
#include "support/server.h"

struct fixture {
    struct fault_proxy *first, *second;
    struct client *client;
    struct error err;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    int port = server_port(opensearch_server_start());
    char url[200], prefix[] = "";
    struct opensearch_settings o = {.url = url, .prefix = prefix, .connect_ms = 10000, .timeout_ms = 20000};

    f->first = fault_proxy_start(port);
    f->second = fault_proxy_start(port);
    snprintf(url, sizeof url, "%s/ %s", fault_proxy_url(f->first), fault_proxy_url(f->second));
    f->client = client_new(&o);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    client_free(f->client);
    fault_proxy_free(f->first);
    fault_proxy_free(f->second);
    free(f);
    return 0;
}

static bool ask(struct fixture *f, const char *method, const char *path, bool *missing)
{
    json_t *answer;
    bool ok = client_json(f->client, method, path, NULL, &answer, missing, &f->err);

    assert_true(ok || !answer);
    json_decref(answer);
    return ok;
}

static void a_host_that_is_down_is_passed_over(void **state)
{
    struct fixture *f = *state;

    assert_true(client_ready(f->client, &f->err));
    assert_int_equal(fault_proxy_counts(f->first).requests, 1);
    fault_proxy_down(f->first);
    for (int i = 0; i < 10; i++)
        assert_true(client_ready(f->client, &f->err));
    assert_int_equal(fault_proxy_counts(f->second).requests, 10);
    fault_proxy_up(f->first);
    fault_proxy_down(f->second);
    assert_true(client_ready(f->client, &f->err));
}

static void a_request_that_may_have_had_effect_is_the_callers_to_repeat(void **state)
{
    struct fixture *f = *state;
    const struct http_reply *reply;

    fault_proxy_set(f->first, &(struct fault){.link = FAULT_RESET_AFTER});
    assert_false(client_send(f->client, "GET", "/", NULL, NULL, 0, &reply, &f->err));
    assert_true(reply->may_have_effect);
    assert_int_equal(fault_proxy_counts(f->second).requests, 0);
    assert_true(client_ready(f->client, &f->err));
    assert_int_equal(fault_proxy_counts(f->second).requests, 1);
}

static void with_all_hosts_down_the_reason_and_a_host_are_named(void **state)
{
    struct fixture *f = *state;
    const struct http_reply *reply;

    fault_proxy_down(f->first);
    fault_proxy_down(f->second);
    assert_false(client_send(f->client, "GET", "/", NULL, NULL, 0, &reply, &f->err));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
    assert_false(reply->may_have_effect);
    assert_non_null(strstr(f->err.text, "OpenSearch: 127.0.0.1:"));
    fault_proxy_up(f->second);
    assert_true(client_ready(f->client, &f->err)); /* at once, though both were passed over */
}

static void a_refusal_says_who_can_help(void **state)
{
    static const struct {
        int status;
        enum error_kind kind;
    } rows[] = {
        {401, ERROR_AGAIN},
        {403, ERROR_AGAIN},
        {429, ERROR_AGAIN},
        {500, ERROR_AGAIN},
        {503, ERROR_AGAIN},
        {400, ERROR_INPUT},
        {404, ERROR_INPUT},
        {409, ERROR_INPUT}
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        fault_proxy_set(f->first, &(struct fault){.status = rows[i].status});
        assert_false(ask(f, "GET", "/", NULL));
        assert_int_equal(f->err.kind, rows[i].kind);
        assert_non_null(strstr(f->err.text, "fault_exception: as the test wants"));
        assert_int_equal(client_ready(f->client, &f->err), false);
    }
}

static void what_is_missing_is_no_error_where_that_is_asked_for(void **state)
{
    struct fixture *f = *state;
    bool missing = false;

    assert_true(ask(f, "GET", "/no-such-index-anywhere/_mapping", &missing));
    assert_true(missing);
    assert_true(ask(f, "GET", "/_cluster/health", &missing));
    assert_false(missing);
    assert_false(ask(f, "GET", "/no-such-index-anywhere/_mapping", NULL));
    assert_non_null(strstr(f->err.text, "no such index [no-such-index-anywhere]"));
}

static void words_of_no_action_are_shown_too(void **state)
{
    struct fixture *f = *state;

    assert_false(ask(f, "GET", "/_no/such/handler", NULL));
    assert_non_null(strstr(f->err.text, "no handler found for uri"));
    fault_proxy_set(f->first, &(struct fault){.status = 502, .body = "<html>\x1b[31mbad gateway</html>"});
    assert_false(ask(f, "GET", "/", NULL));
    assert_non_null(strstr(f->err.text, "<html>\\x1b[31mbad gateway</html>"));
}

static void a_reply_that_is_not_json_is_the_servers_trouble(void **state)
{
    struct fixture *f = *state;

    fault_proxy_set(f->first, &(struct fault){.status = 200, .body = "<html>welcome</html>"});
    assert_false(ask(f, "GET", "/", NULL));
    assert_int_equal(f->err.kind, ERROR_AGAIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_that_is_down_is_passed_over),
        TEST(a_request_that_may_have_had_effect_is_the_callers_to_repeat),
        TEST(with_all_hosts_down_the_reason_and_a_host_are_named),
        TEST(a_refusal_says_who_can_help),
        TEST(what_is_missing_is_no_error_where_that_is_asked_for),
        TEST(words_of_no_action_are_shown_too),
        TEST(a_reply_that_is_not_json_is_the_servers_trouble),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
