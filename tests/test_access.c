/* Who may ask the door for what without a token: which addresses, where it is said, and nobody else. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "notifier/access/token.h"
#include "support/access_stage.h"
#include "support/door_client.h"
#include "support/pause.h"

enum { SOON_MS = 60000 };

static void without_a_token_only_whether_it_lives_is_told(void **state)
{
    struct access_stage *s = *state;

    assert_int_equal(access_ask(s, "GET", "/health/live", NULL, NULL), 200);
    assert_int_equal(access_ask(s, "GET", "/metrics", NULL, NULL), 401);
    assert_int_equal(access_ask(s, "GET", "/things/1", NULL, NULL), 401);
    assert_int_equal(access_ask(s, "POST", "/events", NULL, EVENT("a")), 401);
    assert_non_null(strstr(s->client.body.data, "crier tokens"));
    assert_int_equal(client_stream_length(&s->client, "changes"), 0);
}

static void on_this_machine_none_is_needed_unless_it_is_said(void **state)
{
    struct access_stage *s = *state;

    assert_int_equal(access_ask(s, "GET", "/metrics", NULL, NULL), 200);
    assert_int_equal(access_ask(s, "GET", "/things/1", NULL, NULL), 200);
    assert_int_equal(access_ask(s, "POST", "/events", NULL, EVENT("a")), 202);
    assert_int_equal(access_ask(s, "POST", "/events", "crier_000000000000_wrong", EVENT("b")), 401);
}

/* "host!ADDRESS", an address of this machine that others may reach; false: there is none. */
static bool find_address(char out[60])
{
    struct ifaddrs *all, *one;
    char text[INET_ADDRSTRLEN];
    bool found = false;

    assert_int_equal(getifaddrs(&all), 0);
    for (one = all; one && !found; one = one->ifa_next) {
        if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || one->ifa_flags & IFF_LOOPBACK)
            continue;
        inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)one->ifa_addr)->sin_addr, text, sizeof text);
        snprintf(out, 60, "host!%s", text);
        found = true;
    }
    freeifaddrs(all);
    return found;
}

static void from_elsewhere_one_is_always_needed(void **state)
{
    struct access_stage *s = *state;
    char address[60], *admin;

    if (!find_address(address))
        skip();
    s->client.from = address;
    assert_int_equal(access_ask(s, "GET", "/health/live", NULL, NULL), 200);
    assert_int_equal(access_ask(s, "GET", "/things/1", NULL, NULL), 401);
    assert_non_null(strstr(s->client.body.data, "crier tokens create"));
    assert_int_equal(access_ask(s, "POST", "/events", NULL, EVENT("a")), 401);
    assert_int_equal(client_stream_length(&s->client, "changes"), 0);
    admin = access_token(s, "root", "admin", NULL);
    access_becomes(s, 202, "POST", "/events", admin, EVENT("a"));
    free(admin);
}

/*
 * What a door says as it opens: until it has said awaited, or, where that is NULL, until it takes the token. Yours to
 * free.
 */
static char *said_at_opening(struct access_stage *s, const char *awaited, const char *token)
{
    int64_t until_ms = clock_monotonic_ms() + SOON_MS;
    struct buf said = BUF_INIT;
    char path[300];
    struct error err;
    int log, before = dup(STDERR_FILENO);

    snprintf(path, sizeof path, "%s/said", test_folder());
    log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(log >= 0 && dup2(log, STDERR_FILENO) >= 0);
    door_close(s->client.door);
    s->client.door = door_open(s->client.scene->settings, s->pages, &err);
    if (!awaited && s->client.door)
        access_becomes(s, 202, "POST", "/events", token, EVENT("a"));
    do {
        buf_reset(&said);
        pause_ms(20);
        if (!file_read(path, 100000, &said, &err))
            break;
    } while (awaited && !strstr(said.data, awaited) && clock_monotonic_ms() < until_ms);
    dup2(before, STDERR_FILENO);
    close(before);
    close(log);
    assert_non_null(s->client.door);
    return buf_take(&said);
}

static void without_tokens_who_is_served_is_said(void **state)
{
    struct access_stage *s = *state;
    static const char nobody[] = "access = tokens, and there is none: nobody is served";
    char *said = said_at_opening(s, nobody, NULL), *token;

    assert_non_null(strstr(said, nobody));
    free(said);
    token = access_token(s, "platform", "emit", NULL);
    said = said_at_opening(s, NULL, token);
    assert_null(strstr(said, "is served"));
    free(said);
    free(token);
}

static void without_tokens_that_only_this_machine_is_served_is_said(void **state)
{
    struct access_stage *s = *state;
    static const char only[] = "listen = 0.0.0.0:0, and there is no token: only this machine is served";
    char *said = said_at_opening(s, only, NULL);

    assert_non_null(strstr(said, only));
    free(said);
}

#define OF(test, how) cmocka_unit_test_setup_teardown(test, access_stage_open_##how, access_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OF(without_a_token_only_whether_it_lives_is_told, tokens),
        OF(on_this_machine_none_is_needed_unless_it_is_said, loopback),
        OF(from_elsewhere_one_is_always_needed, loopback),
        OF(without_tokens_who_is_served_is_said, tokens),
        OF(without_tokens_that_only_this_machine_is_served_is_said, everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
