/* Tokens for the door: what their scopes and types open, how long, and what is kept and shown of them. */
#include <ifaddrs.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "notifier/access/token.h"
#include "support/access_stage.h"
#include "support/door_client.h"

static void a_token_opens_what_its_scopes_name(void **state)
{
    struct access_stage *s = *state;
    char *emit = access_token(s, "platform", "emit", NULL),
         *read = access_token(s, "auditor", "audit:read metrics:read", NULL),
         *admin = access_token(s, "root", "admin", NULL);

    access_becomes(s, 200, "GET", "/metrics", admin, NULL); /* made last */
    assert_int_equal(access_ask(s, "POST", "/events", emit, EVENT("a")), 202);
    assert_int_equal(access_ask(s, "GET", "/metrics", emit, NULL), 403);
    assert_int_equal(access_ask(s, "GET", "/things/1", emit, NULL), 403);
    assert_int_equal(access_ask(s, "POST", "/events", read, EVENT("b")), 403);
    assert_int_equal(access_ask(s, "GET", "/metrics", read, NULL), 200);
    assert_int_equal(access_ask(s, "GET", "/things/a/b?n=5", read, NULL), 200);
    assert_string_equal(s->client.body.data, "{\"method\":\"GET\",\"rest\":\"a/b\",\"n\":\"5\",\"by\":\"auditor\"}");
    assert_int_equal(access_ask(s, "DELETE", "/things/x", admin, NULL), 200);
    assert_int_equal(access_ask(s, "PATCH", "/things/x", admin, NULL), 405);
    assert_int_equal(access_ask(s, "GET", "/things/", admin, NULL), 404);
    assert_int_equal(client_stream_length(&s->client, "changes"), 1);
    free(emit);
    free(read);
    free(admin);
}

static void a_token_for_some_types_sends_no_others(void **state)
{
    struct access_stage *s = *state;
    char *token = access_token(s, "narrow", "emit", "user.created");

    access_becomes(s, 400, "POST", "/events", token, EVENT("a"));
    assert_non_null(strstr(s->client.body.data, "does not admit"));
    assert_int_equal(client_stream_length(&s->client, "changes"), 0);
    free(token);
}

static void a_revoked_or_expired_token_opens_nothing(void **state)
{
    struct access_stage *s = *state;
    char *token = access_token(s, "gone", "metrics:read", NULL), id[TOKEN_ID_BYTES], secret[TOKEN_SECRET_BYTES];
    char *brief = access_tokens(s, 0, "create", "brief", "--scope", "metrics:read", "--expires", "1s");

    brief[strcspn(brief, "\n")] = '\0';
    access_becomes(s, 200, "GET", "/metrics", token, NULL);
    assert_true(token_parse(token, id, secret));
    free(access_tokens(s, 0, "revoke", id, NULL, NULL, NULL, NULL));
    access_becomes(s, 401, "GET", "/metrics", token, NULL);
    access_becomes(s, 401, "GET", "/metrics", brief, NULL);
    free(access_tokens(s, 1, "revoke", id, NULL, NULL, NULL, NULL));
    free(token);
    free(brief);
}

static void another_secret_for_a_known_id_opens_nothing(void **state)
{
    struct access_stage *s = *state;
    char *token = access_token(s, "mine", "metrics:read", NULL);
    size_t last = strlen(token) - 1;

    access_becomes(s, 200, "GET", "/metrics", token, NULL);
    token[last] = token[last] == '0' ? '1' : '0';
    assert_int_equal(access_ask(s, "GET", "/metrics", token, NULL), 401);
    free(token);
}

static void redis_keeps_no_secret_and_the_list_shows_none(void **state)
{
    struct access_stage *s = *state;
    char *token = access_token(s, "platform", "emit", NULL), id[TOKEN_ID_BYTES], secret[TOKEN_SECRET_BYTES];
    char *listed = access_tokens(s, 0, "list", "--json", NULL, NULL, NULL, NULL);
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
    struct access_stage *s = *state;
    char *token = access_token(s, "steady", "metrics:read", NULL);

    access_becomes(s, 200, "GET", "/metrics", token, NULL);
    server_kill(s->client.scene->redis_server);
    assert_int_equal(access_ask(s, "GET", "/metrics", token, NULL), 200);
    assert_int_equal(access_ask(s, "GET", "/metrics", NULL, NULL), 401);
    server_restart(s->client.scene->redis_server);
    free(token);
}

/* A careful sender would take 401 for good, and its events would be lost. */
static void before_the_tokens_were_read_none_is_called_unknown(void **state)
{
    struct access_stage *s = *state;
    char *token = access_token(s, "early", "metrics:read", NULL);
    struct error err;

    door_close(s->client.door);
    server_kill(s->client.scene->redis_server);
    s->client.door = door_open(s->client.scene->settings, s->pages, &err);
    if (!s->client.door)
        fail_msg("%s", err.text);
    assert_int_equal(access_ask(s, "GET", "/metrics", token, NULL), 503);
    assert_int_equal(access_ask(s, "GET", "/metrics", "crier_none", NULL), 401);
    assert_int_equal(access_ask(s, "GET", "/health/live", NULL, NULL), 200);
    server_restart(s->client.scene->redis_server);
    access_becomes(s, 200, "GET", "/metrics", token, NULL);
    free(token);
}

static void what_is_wrong_with_a_call_is_named(void **state)
{
    struct access_stage *s = *state;
    char *said = access_tokens(s, 2, "create", "x", "--scope", "stats:raed", NULL, NULL);

    assert_non_null(strstr(said, "did you mean stats:read"));
    free(said);
    free(access_tokens(s, 2, "create", "x", NULL, NULL, NULL, NULL));
    free(access_tokens(s, 2, "create", "", "--scope", "emit", NULL, NULL));
    free(access_tokens(s, 2, "create", "x", "--scope", "emit", "--expires", "soon"));
    free(access_tokens(s, 2, "remove", "x", NULL, NULL, NULL, NULL));
}

#define OF(test, how) cmocka_unit_test_setup_teardown(test, access_stage_open_##how, access_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
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
