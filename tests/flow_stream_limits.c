/* Who may listen to results, to which, how many at a time, how slowly, and how they know that somebody is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "notifier/operation/operation_streams.h"
#include "support/listener.h"
#include "support/scene.h"

enum { UNAVAILABLE = 503, BAD_REQUEST = 400 };

struct stage {
    struct scene *scene;
    struct server *serve;
};

static int open_stage(void **state, const char *http)
{
    struct stage *s = xcalloc(1, sizeof *s);
    char ini[900];

    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n%s"
             "[audit]\nfile = %s/limits.ndjson\n[queue changes]\nevents = user.* record.*\n"
             "[handler trail]\ntype = audit\nqueue = changes\nindex =\nschedule = at once\n",
             http, test_folder());
    s->scene = scene_open(ini);
    s->serve = crier_serve_start(s->scene->config_path);
    *state = s;
    return 0;
}

static int setup(void **state)
{
    return open_stage(state, "streams = 4\n");
}

static int setup_for_one(void **state)
{
    return open_stage(state, "streams = 1\nidle = 5s\n");
}

static int setup_for_all(void **state)
{
    return open_stage(state, "results = all\n");
}

static int teardown(void **state)
{
    struct stage *s = *state;

    server_free(s->serve);
    scene_close(s->scene);
    free(s);
    return 0;
}

static struct listener *listen_as(struct stage *s, const char *token, const char *path)
{
    return listener_open(&(struct listener_options){.port = server_port(s->serve), .path = path, .token = token});
}

/* Events e(from), e(from + 1) ... of an operation; NULL: of none. */
static void post(struct stage *s, const char *type, const char *subject, int from, int count, const char *operation)
{
    struct http *http = http_new(&(struct http_options){.connect_ms = 2000, .timeout_ms = 20000});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct buf body = BUF_INIT;
    struct error err;
    char url[200];

    for (int i = from; i < from + count; i++)
        buf_printf(&body,
                   "%s{\"specversion\":\"1.0\",\"id\":\"e%d\",\"source\":\"/s\",\"type\":\"%s\",\"subject\":\"%s\"}",
                   i > from ? "," : "[", i, type, subject);
    buf_add_char(&body, ']');
    snprintf(url, sizeof url, "http://127.0.0.1:%d/events%s%s", server_port(s->serve), operation ? "?operation=" : "",
             operation ? operation : "");
    if (!http_send(http, &(struct http_request){.method = "POST", .url = url, .body = body.data, .length = body.length},
                   &reply, &err))
        fail_msg("%s", err.text);
    assert_int_equal(reply.status, 202);
    buf_release(&reply.body);
    buf_release(&body);
    http_free(http);
}

/* To see streams with; events: patterns of types, NULL: all. Yours to free. */
static char *token_new(struct stage *s, const char *name, const char *events)
{
    const char *words[] = {"tokens",      "--config", s->scene->config_path,  "create", name, "--scope",
                           "events:read", "--events", events ? events : "**", NULL};
    char *token;

    if (crier_run(&token, words) != 0)
        fail_msg("%s", token);
    token[strcspn(token, "\n")] = '\0';
    return token;
}

/* Refused, for that reason. */
static void assert_refused(struct listener *l, long status, const char *reason)
{
    listener_until_status(l, status);
    pthread_mutex_lock(&l->mutex);
    assert_non_null(strstr(l->refused, reason));
    pthread_mutex_unlock(&l->mutex);
}

/* ---------------------------------------------------------------------------------------------------- the tests */

/* A page that asks for something as soon as its stream is open hears what becomes of it. */
static void who_begins_to_listen_misses_nothing_from_the_head_of_the_answer_on(void **state)
{
    enum { ROUNDS = 8 };
    struct stage *s = *state;

    for (int i = 0; i < ROUNDS; i++) {
        struct listener *l = listen_as(s, NULL, "/stream");

        listener_until_opened(l);
        post(s, "user.updated", "users/1", i, 1, "op-1");
        listener_until_heard(l, 1);
        listener_close(l);
    }
}

static void who_hears_nothing_for_long_is_told_that_somebody_is_there(void **state)
{
    struct stage *s = *state;
    int64_t began_ms = clock_monotonic_ms();
    struct listener *l = listen_as(s, NULL, "/stream");

    listener_until_comment(l);
    assert_true(clock_monotonic_ms() - began_ms >= LISTENER_KEEPALIVE_MS);
    assert_int_equal(listener_heard(l), 0);
    post(s, "user.updated", "users/1", 0, 1, "op-1"); /* on the same connection */
    listener_until_heard(l, 1);
    pthread_mutex_lock(&l->mutex);
    assert_int_equal(l->opened, 1);
    pthread_mutex_unlock(&l->mutex);
    listener_close(l);
}

/* Of four places a token has one; those without a token, on this machine, have what is left. */
static void a_token_has_a_quarter_of_the_places_and_who_goes_makes_room(void **state)
{
    struct stage *s = *state;
    char *first = token_new(s, "first", NULL), *second = token_new(s, "second", NULL);
    struct listener *in[4], *out;
    int64_t began_ms;

    in[0] = listen_as(s, first, "/stream");
    listener_until_placed(in[0]);
    out = listen_as(s, first, "/stream");
    assert_refused(out, UNAVAILABLE, "a quarter of [http] streams");
    in[1] = listen_as(s, second, "/operations/op-1/stream"); /* another one's places are its own */
    in[2] = listen_as(s, NULL, "/stream");
    in[3] = listen_as(s, NULL, "/stream");
    for (int i = 1; i < 4; i++)
        listener_until_opened(in[i]);
    listener_close(out);
    out = listen_as(s, NULL, "/stream");
    assert_refused(out, UNAVAILABLE, "4 listen already");
    began_ms = clock_monotonic_ms();
    listener_close(in[2]); /* its place is free again, before anything is said to it */
    listener_until_opened(out);
    assert_true(clock_monotonic_ms() - began_ms < LISTENER_KEEPALIVE_MS);
    listener_close(out);
    listener_close(in[0]);
    listener_close(in[1]);
    listener_close(in[3]);
    free(first);
    free(second);
}

/* Whatever it asks for. Those it waits for come last, so that the others would have come before. */
static void a_token_hears_only_of_types_it_may_see(void **state)
{
    struct stage *s = *state;
    char *records = token_new(s, "records", "record.*"), *users = token_new(s, "users", "user.*");
    struct listener *l = listen_as(s, records, "/stream"), *other = listen_as(s, users, "/stream?events=record.*%20**");

    listener_until_placed(l);
    listener_until_placed(other);
    post(s, "user.updated", "users/1", 0, 3, "op-1");
    post(s, "record.updated", "records/1", 3, 2, "op-1");
    post(s, "user.updated", "users/1", 5, 1, "op-1");
    listener_until_heard(l, 2);
    listener_until_heard(other, 4);
    listener_close(other);
    other = listen_as(s, users, "/operations/op-1/stream"); /* what is there already, too */
    listener_until_heard(other, 4);
    pthread_mutex_lock(&l->mutex);
    assert_int_equal(l->count, 2);
    assert_null(strstr(l->data.data, "user.updated"));
    pthread_mutex_unlock(&l->mutex);
    pthread_mutex_lock(&other->mutex);
    assert_int_equal(other->count, 4);
    assert_null(strstr(other->data.data, "record.updated"));
    pthread_mutex_unlock(&other->mutex);
    listener_close(other);
    listener_close(l);
    free(records);
    free(users);
}

static void a_stream_is_of_the_types_that_were_asked_for(void **state)
{
    struct stage *s = *state;
    struct listener *some = listen_as(s, NULL, "/stream?events=record.deleted%20user.*");
    struct listener *all = listen_as(s, NULL, "/stream?events=**");

    listener_until_placed(some);
    listener_until_placed(all);
    post(s, "record.updated", "records/1", 0, 3, "op-1");
    post(s, "user.updated", "users/1", 3, 1, "op-2");
    post(s, "record.deleted", "records/1", 4, 1, "op-1");
    listener_until_heard(all, 5);
    listener_until_heard(some, 2);
    pthread_mutex_lock(&some->mutex);
    assert_int_equal(some->count, 2);
    assert_non_null(strstr(some->data.data, "\"event\":\"e3\""));
    assert_non_null(strstr(some->data.data, "\"event\":\"e4\""));
    pthread_mutex_unlock(&some->mutex);
    listener_close(all);
    listener_close(some);
    some = listen_as(s, NULL, "/stream?events=user..updated");
    assert_refused(some, BAD_REQUEST, "user..updated");
    listener_close(some);
}

static void what_has_no_operation_is_told_of_where_the_configuration_says_so(void **state)
{
    struct stage *s = *state;
    char *users = token_new(s, "users", "user.*");
    struct listener *l = listen_as(s, NULL, "/stream?events=record.*%20user.*"); /* not what crier says of itself */
    struct listener *of_users = listen_as(s, users, "/stream");

    listener_until_placed(l);
    listener_until_placed(of_users);
    post(s, "record.updated", "records/1", 0, 300, NULL); /* more than one call of the script has */
    post(s, "user.updated", "users/1", 300, 1, NULL);
    post(s, "record.updated", "records/1", 301, 1, "op-1");
    listener_until_heard(l, 302);
    listener_until_heard(of_users, 1);
    pthread_mutex_lock(&l->mutex);
    assert_int_equal(strncmp(l->data.data, "{\"event\":\"e", strlen("{\"event\":\"e")), 0);
    assert_non_null(strstr(l->data.data, "{\"operation\":\"op-1\",\"event\":\"e301\""));
    pthread_mutex_unlock(&l->mutex);
    assert_int_equal(listener_heard(of_users), 1);
    assert_int_equal(scene_redis(s->scene, "EXISTS crier:{operations}:of:")->integer, 0); /* nothing more is kept */
    listener_close(l);
    listener_close(of_users);
    free(users);
}

static void what_has_no_operation_is_not_told_of_else(void **state)
{
    struct stage *s = *state;
    struct listener *l = listen_as(s, NULL, "/stream");

    listener_until_placed(l);
    post(s, "user.updated", "users/1", 0, 3, NULL);
    post(s, "user.updated", "users/1", 3, 1, "op-1");
    listener_until_heard(l, 1);
    pthread_mutex_lock(&l->mutex);
    assert_int_equal(l->count, 1);
    assert_non_null(strstr(l->data.data, "\"event\":\"e3\""));
    pthread_mutex_unlock(&l->mutex);
    listener_close(l);
}

/* What it does not read fills what there is between the two, some megabytes, and then it stands still. */
static void who_does_not_read_loses_its_place(void **state)
{
    enum { EVENTS = 4500, SUBJECT_BYTES = 500 };
    struct stage *s = *state;
    char subject[SUBJECT_BYTES + 1] = "";
    struct listener *deaf, *next;

    memset(subject, 's', SUBJECT_BYTES);
    memcpy(subject, "users/", strlen("users/"));
    for (int i = 0; i < EVENTS; i += EVENTS / 10)
        post(s, "user.updated", subject, i, EVENTS / 10, "op-1");
    deaf = listener_open(
        &(struct listener_options){.port = server_port(s->serve), .path = "/operations/op-1/stream", .deaf = true});
    listener_until_opened(deaf);
    next = listen_as(s, NULL, "/stream");
    listener_until_status(next, UNAVAILABLE);
    listener_until_opened(next);
    listener_close(next);
    listener_close(deaf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_begins_to_listen_misses_nothing_from_the_head_of_the_answer_on),
        TEST(who_hears_nothing_for_long_is_told_that_somebody_is_there),
        TEST(a_token_has_a_quarter_of_the_places_and_who_goes_makes_room),
        TEST(a_token_hears_only_of_types_it_may_see),
        TEST(a_stream_is_of_the_types_that_were_asked_for),
        TEST(what_has_no_operation_is_not_told_of_else),
        cmocka_unit_test_setup_teardown(what_has_no_operation_is_told_of_where_the_configuration_says_so, setup_for_all,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_does_not_read_loses_its_place, setup_for_one, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
