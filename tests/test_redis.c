/* The link to Redis, and what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/redis.h"
#include "support/server.h"

struct link {
    struct server *server;
    struct redis_address address;
    struct redis *redis;
    struct arena *arena;
};

static void open_link(struct link *l, const char *url)
{
    struct error err;

    if (!redis_address_parse(url, &l->address, &err))
        fail_msg("%s", err.text);
    l->redis = redis_new(&(struct redis_options){&l->address, 2000});
    l->arena = arena_new();
}

static void close_link(struct link *l)
{
    redis_free(l->redis);
    arena_free(l->arena);
    redis_address_release(&l->address);
    server_free(l->server);
}

static int64_t client_id(struct link *l)
{
    const struct reply *reply = NULL;
    struct error err;

    if (!redis_do(l->redis, l->arena, &reply, &err, "CLIENT ID"))
        fail_msg("%s", err.text);
    return reply->integer;
}

static void a_socket_of_the_file_system_is_a_link_like_any_other(void **state)
{
    char path[300], url[400];
    struct link l = {0};
    const struct reply *reply = NULL;
    struct error err;

    (void)state;
    snprintf(path, sizeof path, "%s/redis.socket", test_folder());
    l.server = redis_server_start((const char *const[]){"--unixsocket", path, NULL});
    snprintf(url, sizeof url, "unix://%s?db=3", path);
    open_link(&l, url);
    if (!redis_do(l.redis, l.arena, NULL, &err, "SET k v") || !redis_do(l.redis, l.arena, &reply, &err, "GET k"))
        fail_msg("%s", err.text);
    assert_string_equal(reply->text, "v");
    close_link(&l);
}

static void a_master_that_became_a_replica_is_left(void **state)
{
    struct link l = {.server = redis_server_start(NULL)};
    struct args args = ARGS_INIT;
    const struct reply *reply = NULL;
    struct error err;
    int64_t before;

    (void)state;
    open_link(&l, redis_server_url(l.server));
    assert_true(redis_do(l.redis, l.arena, NULL, &err, "REPLICAOF 127.0.0.1 %d", port_find()));
    before = client_id(&l);
    assert_int_equal(client_id(&l), before);
    assert_false(redis_do(l.redis, l.arena, NULL, &err, "SET k v"));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_non_null(strstr(err.text, "READONLY"));
    assert_true(client_id(&l) != before);
    before = client_id(&l);
    args_text(&args, "SET");
    args_text(&args, "k");
    args_text(&args, "v");
    assert_true(redis_call(l.redis, &args, l.arena, &reply, &err));
    assert_true(reply_error_is(reply, "READONLY"));
    assert_true(client_id(&l) != before);
    args_release(&args);
    close_link(&l);
}

static void a_link_that_was_cut_is_opened_again_by_the_next_call(void **state)
{
    struct link l = {.server = redis_server_start(NULL)};
    struct error err;

    (void)state;
    open_link(&l, redis_server_url(l.server));
    assert_true(client_id(&l) > 0);
    server_kill(l.server);
    assert_false(redis_do(l.redis, l.arena, NULL, &err, "PING"));
    assert_int_equal(err.kind, ERROR_AGAIN);
    server_restart(l.server);
    assert_true(redis_do(l.redis, l.arena, NULL, &err, "PING"));
    close_link(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_of_the_file_system_is_a_link_like_any_other),
        cmocka_unit_test(a_master_that_became_a_replica_is_left),
        cmocka_unit_test(a_link_that_was_cut_is_opened_again_by_the_next_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
