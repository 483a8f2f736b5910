/* Who may ask the door for what: tokens, their scopes and types, and who needs none. */
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

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "notifier/access/token.h"
#include "support/door_client.h"
#include "support/pause.h"

enum { SOON_MS = 5000 };

struct stage {
    struct door_client client;
    struct door_page pages[4];
    char config[300];
};

static unsigned hello(void *context, struct buf *body)
{
    buf_add_text(body, context);
    return 200;
}

/* Says who asked for what. */
static unsigned answer(void *context, const struct page_request *request, struct buf *body)
{
    const char *n = page_argument(request, "n");

    (void)context;
    buf_printf(body, "{\"method\":\"%s\",\"rest\":\"%s\",\"n\":\"%s\",\"by\":\"%s\"}", request->method, request->rest,
               n ? n : "", request->caller->name);
    return 200;
}

static void open_stage(void **state, const char *listen, const char *access)
{
    static char text[] = "hello";
    struct stage *s = xcalloc(1, sizeof *s);
    struct error err;
    char ini[400];

    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = %s\naccess = %s\n[queue changes]\nevents = user.*\n", listen,
             access);
    s->pages[0] =
        (struct door_page){.path = "/health/live", .content_type = "text/plain", .render = hello, .context = text};
    s->pages[1] = (struct door_page){.path = "/metrics",
                                     .content_type = "text/plain",
                                     .scope = SCOPE_METRICS_READ,
                                     .render = hello,
                                     .context = text};
    s->pages[2] = (struct door_page){.path = "/things/",
                                     .content_type = "application/json",
                                     .methods = "GET, DELETE",
                                     .scope = SCOPE_AUDIT_READ,
                                     .answer = answer,
                                     .body_bytes = 1000};
    s->client.scene = scene_open(ini);
    s->client.door = door_open(s->client.scene->settings, s->pages, &err);
    if (!s->client.door)
        fail_msg("%s", err.text);
    s->client.curl = curl_easy_init();
    buf_init(&s->client.body);
    *state = s;
}

static int setup_tokens(void **state)
{
    open_stage(state, "127.0.0.1:0", "tokens");
    return 0;
}

static int setup_loopback(void **state)
{
    open_stage(state, "127.0.0.1:0", "loopback");
    return 0;
}

static int setup_everywhere(void **state)
{
    open_stage(state, "0.0.0.0:0", "loopback");
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;

    curl_easy_cleanup(s->client.curl);
    door_close(s->client.door);
    scene_close(s->client.scene);
    json_decref(s->client.json);
    buf_release(&s->client.body);
    free(s);
    return 0;
}

/* Runs `crier tokens` with the words, and wants that exit code. What it says is yours. */
static char *tokens(struct stage *s, int status, const char *a, const char *b, const char *c, const char *d,
                    const char *e, const char *f)
{
    const char *words[] = {"tokens", "--config", s->client.scene->config_path, a, b, c, d, e, f, NULL};
    char *said = NULL;
    int code = crier_run(&said, words);

    if (code != status)
        fail_msg("crier tokens %s: %d, %s", a, code, said);
    return said;
}

static void cut_line(char *text)
{
    text[strcspn(text, "\n")] = '\0';
}

static char *make_token(struct stage *s, const char *name, const char *scopes, const char *events)
{
    char *said = tokens(s, 0, "create", name, "--scope", scopes, events ? "--events" : NULL, events);

    cut_line(said);
    return said;
}

static long ask_with(struct stage *s, const char *method, const char *path, const char *token, const char *body)
{
    char authorization[200];
    const char *const headers[] = {authorization, STRUCTURED, NULL};

    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", token ? token : "");
    return client_request(&s->client, method, path, token ? headers : headers + 1, body, body ? strlen(body) : 0);
}

/* A change counts within a second: asks until it is so. */
static void becomes(struct stage *s, long status, const char *method, const char *path, const char *token,
                    const char *body)
{
    int64_t until_ms = clock_monotonic_ms() + SOON_MS;

    while (ask_with(s, method, path, token, body) != status)
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s %s: %ld, not %ld: %s", method, path, s->client.status, status, s->client.body.data);
}

static void without_a_token_only_whether_it_lives_is_told(void **state)
{
    struct stage *s = *state;

    assert_int_equal(ask_with(s, "GET", "/health/live", NULL, NULL), 200);
    assert_int_equal(ask_with(s, "GET", "/metrics", NULL, NULL), 401);
    assert_int_equal(ask_with(s, "GET", "/things/1", NULL, NULL), 401);
    assert_int_equal(ask_with(s, "POST", "/events", NULL, EVENT("a")), 401);
    assert_non_null(strstr(s->client.body.data, "crier tokens"));
    assert_int_equal(client_stream_length(&s->client, "changes"), 0);
}

static void on_this_machine_none_is_needed_unless_it_is_said(void **state)
{
    struct stage *s = *state;

    assert_int_equal(ask_with(s, "GET", "/metrics", NULL, NULL), 200);
    assert_int_equal(ask_with(s, "GET", "/things/1", NULL, NULL), 200);
    assert_int_equal(ask_with(s, "POST", "/events", NULL, EVENT("a")), 202);
    assert_int_equal(ask_with(s, "POST", "/events", "crier_000000000000_wrong", EVENT("b")), 401);
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
    struct stage *s = *state;
    char address[60], *admin;

    if (!find_address(address))
        skip();
    s->client.from = address;
    assert_int_equal(ask_with(s, "GET", "/health/live", NULL, NULL), 200);
    assert_int_equal(ask_with(s, "GET", "/things/1", NULL, NULL), 401);
    assert_non_null(strstr(s->client.body.data, "crier tokens create"));
    assert_int_equal(ask_with(s, "POST", "/events", NULL, EVENT("a")), 401);
    assert_int_equal(client_stream_length(&s->client, "changes"), 0);
    admin = make_token(s, "root", "admin", NULL);
    becomes(s, 202, "POST", "/events", admin, EVENT("a"));
    free(admin);
}

/*
 * What a door says as it opens: until it has said awaited, or, where that is NULL, until it takes the token. Yours to
 * free.
 */
static char *said_at_opening(struct stage *s, const char *awaited, const char *token)
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
        becomes(s, 202, "POST", "/events", token, EVENT("a"));
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
    struct stage *s = *state;
    static const char nobody[] = "access = tokens, and there is none: nobody is served";
    char *said = said_at_opening(s, nobody, NULL), *token;

    assert_non_null(strstr(said, nobody));
    free(said);
    token = make_token(s, "platform", "emit", NULL);
    said = said_at_opening(s, NULL, token);
    assert_null(strstr(said, "is served"));
    free(said);
    free(token);
}

static void without_tokens_that_only_this_machine_is_served_is_said(void **state)
{
    struct stage *s = *state;
    static const char only[] = "listen = 0.0.0.0:0, and there is no token: only this machine is served";
    char *said = said_at_opening(s, only, NULL);

    assert_non_null(strstr(said, only));
    free(said);
}

static void a_token_opens_what_its_scopes_name(void **state)
{
    struct stage *s = *state;
    char *emit = make_token(s, "platform", "emit", NULL),
         *read = make_token(s, "auditor", "audit:read metrics:read", NULL),
         *admin = make_token(s, "root", "admin", NULL);

    becomes(s, 200, "GET", "/metrics", admin, NULL); /* made last */
    assert_int_equal(ask_with(s, "POST", "/events", emit, EVENT("a")), 202);
    assert_int_equal(ask_with(s, "GET", "/metrics", emit, NULL), 403);
    assert_int_equal(ask_with(s, "GET", "/things/1", emit, NULL), 403);
    assert_int_equal(ask_with(s, "POST", "/events", read, EVENT("b")), 403);
    assert_int_equal(ask_with(s, "GET", "/metrics", read, NULL), 200);
    assert_int_equal(ask_with(s, "GET", "/things/a/b?n=5", read, NULL), 200);
    assert_string_equal(s->client.body.data, "{\"method\":\"GET\",\"rest\":\"a/b\",\"n\":\"5\",\"by\":\"auditor\"}");
    assert_int_equal(ask_with(s, "DELETE", "/things/x", admin, NULL), 200);
    assert_int_equal(ask_with(s, "PATCH", "/things/x", admin, NULL), 405);
    assert_int_equal(ask_with(s, "GET", "/things/", admin, NULL), 404);
    assert_int_equal(client_stream_length(&s->client, "changes"), 1);
    free(emit);
    free(read);
    free(admin);
}

static void a_token_for_some_types_sends_no_others(void **state)
{
    struct stage *s = *state;
    char *token = make_token(s, "narrow", "emit", "user.created");

    becomes(s, 400, "POST", "/events", token, EVENT("a"));
    assert_non_null(strstr(s->client.body.data, "does not admit"));
    assert_int_equal(client_stream_length(&s->client, "changes"), 0);
    free(token);
}

static void a_revoked_or_expired_token_opens_nothing(void **state)
{
    struct stage *s = *state;
    char *token = make_token(s, "gone", "metrics:read", NULL), id[TOKEN_ID_BYTES], secret[TOKEN_SECRET_BYTES];
    char *brief = tokens(s, 0, "create", "brief", "--scope", "metrics:read", "--expires", "1s");

    cut_line(brief);
    becomes(s, 200, "GET", "/metrics", token, NULL);
    assert_true(token_parse(token, id, secret));
    free(tokens(s, 0, "revoke", id, NULL, NULL, NULL, NULL));
    becomes(s, 401, "GET", "/metrics", token, NULL);
    becomes(s, 401, "GET", "/metrics", brief, NULL);
    free(tokens(s, 1, "revoke", id, NULL, NULL, NULL, NULL));
    free(token);
    free(brief);
}

static void another_secret_for_a_known_id_opens_nothing(void **state)
{
    struct stage *s = *state;
    char *token = make_token(s, "mine", "metrics:read", NULL);
    size_t last = strlen(token) - 1;

    becomes(s, 200, "GET", "/metrics", token, NULL);
    token[last] = token[last] == '0' ? '1' : '0';
    assert_int_equal(ask_with(s, "GET", "/metrics", token, NULL), 401);
    free(token);
}

static void redis_keeps_no_secret_and_the_list_shows_none(void **state)
{
    struct stage *s = *state;
    char *token = make_token(s, "platform", "emit", NULL), id[TOKEN_ID_BYTES], secret[TOKEN_SECRET_BYTES];
    char *listed = tokens(s, 0, "list", "--json", NULL, NULL, NULL, NULL);
    const struct reply *kept = scene_redis(s->client.scene, "HVALS crier:{access}:tokens");

    assert_true(token_parse(token, id, secret));
    assert_int_equal(kept->count, 1);
    assert_null(strstr(kept->items[0].text, secret));
    assert_null(strstr(listed, secret));
    assert_non_null(strstr(listed, id));
    assert_non_null(strstr(listed, "platform"));
    free(listed);
    free(token);
}

static void while_redis_is_away_the_tokens_known_last_count(void **state)
{
    struct stage *s = *state;
    char *token = make_token(s, "steady", "metrics:read", NULL);

    becomes(s, 200, "GET", "/metrics", token, NULL);
    server_kill(s->client.scene->redis_server);
    assert_int_equal(ask_with(s, "GET", "/metrics", token, NULL), 200);
    assert_int_equal(ask_with(s, "GET", "/metrics", NULL, NULL), 401);
    server_restart(s->client.scene->redis_server);
    free(token);
}

/* A careful sender would take 401 for good, and its events would be lost. */
static void before_the_tokens_were_read_none_is_called_unknown(void **state)
{
    struct stage *s = *state;
    char *token = make_token(s, "early", "metrics:read", NULL);
    struct error err;

    door_close(s->client.door);
    server_kill(s->client.scene->redis_server);
    s->client.door = door_open(s->client.scene->settings, s->pages, &err);
    if (!s->client.door)
        fail_msg("%s", err.text);
    assert_int_equal(ask_with(s, "GET", "/metrics", token, NULL), 503);
    assert_int_equal(ask_with(s, "GET", "/metrics", "crier_none", NULL), 401);
    assert_int_equal(ask_with(s, "GET", "/health/live", NULL, NULL), 200);
    server_restart(s->client.scene->redis_server);
    becomes(s, 200, "GET", "/metrics", token, NULL);
    free(token);
}

static void what_is_wrong_with_a_call_is_named(void **state)
{
    struct stage *s = *state;
    char *said = tokens(s, 2, "create", "x", "--scope", "stats:raed", NULL, NULL);

    assert_non_null(strstr(said, "did you mean stats:read"));
    free(said);
    free(tokens(s, 2, "create", "x", NULL, NULL, NULL, NULL));
    free(tokens(s, 2, "create", "", "--scope", "emit", NULL, NULL));
    free(tokens(s, 2, "create", "x", "--scope", "emit", "--expires", "soon"));
    free(tokens(s, 2, "remove", "x", NULL, NULL, NULL, NULL));
}

#define OF(test, how) cmocka_unit_test_setup_teardown(test, setup_##how, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OF(without_a_token_only_whether_it_lives_is_told, tokens),
        OF(on_this_machine_none_is_needed_unless_it_is_said, loopback),
        OF(from_elsewhere_one_is_always_needed, loopback),
        OF(without_tokens_who_is_served_is_said, tokens),
        OF(without_tokens_that_only_this_machine_is_served_is_said, everywhere),
        OF(a_token_opens_what_its_scopes_name, tokens),
        OF(a_token_for_some_types_sends_no_others, tokens),
        OF(a_revoked_or_expired_token_opens_nothing, tokens),
        OF(another_secret_for_a_known_id_opens_nothing, tokens),
        OF(redis_keeps_no_secret_and_the_list_shows_none, tokens),
        OF(while_redis_is_away_the_tokens_known_last_count, tokens),
        OF(before_the_tokens_were_read_none_is_called_unknown, tokens),
        OF(what_is_wrong_with_a_call_is_named, tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
