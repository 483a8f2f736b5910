/*
 * From a platform's commit to the document, step by step: at each message that passes between crier and a server, one
 * of the two is killed (SIGKILL), message after message, until a change comes through without one. What the platform
 * committed is in the index in the end, and nothing else ever is.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "support/outbox_stage.h"
#include "support/process.h"
#include "support/search_index.h"
#include "support/step_proxy.h"

enum { PATIENCE_MS = 60000, LOOK_AGAIN_US = 5000, STEPS_MOST = 200 };

static const char ini[] = "[redis]\nurl = REDIS\ntimeout = 2s\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\n"
                          "[queue changes]\nevents = user.*\n"
                          "[outbox platform]\nurl = POSTGRES\npoll = 10s\n"
                          "[handler members]\ntype = denormalize\nqueue = changes\nschedule = at once\nparallel = 1\n"
                          "deadline = 1s\nindex = members\nmatch = user.id\ncopy = user.name<-data.name\n"
                          "revision = user.@v\n";

/* The platform, all that follows, and what stands between them. */
struct steps {
    struct server *postgres, *crier;
    struct outbox_stage *stage;
    struct step_proxy *to_postgres, *to_redis, *to_opensearch;
    char config_path[320];
    int revision; /* of the last attempt */
};

/* -------------------------------------------------------------------------------------------------------- the stage */

static void replace_port(struct buf *text, int port, int by)
{
    char from[32], to[32];
    struct buf out = BUF_INIT;
    const char *at = text->data, *found;

    snprintf(from, sizeof from, "127.0.0.1:%d", port);
    snprintf(to, sizeof to, "127.0.0.1:%d", by);
    for (; (found = strstr(at, from)) != NULL; at = found + strlen(from)) {
        buf_add(&out, at, (size_t)(found - at));
        buf_add_text(&out, to);
    }
    buf_add_text(&out, at);
    buf_release(text);
    *text = out;
}

/* The same configuration, but with the proxies in place of the servers. */
static void write_config(struct steps *s, int opensearch_port)
{
    struct buf text = BUF_INIT;
    struct error err;
    FILE *file;

    if (!file_read(s->stage->scene->config_path, 1 << 20, &text, &err))
        fail_msg("%s", err.text);
    replace_port(&text, server_port(s->postgres), step_proxy_port(s->to_postgres));
    replace_port(&text, server_port(s->stage->scene->redis_server), step_proxy_port(s->to_redis));
    replace_port(&text, opensearch_port, step_proxy_port(s->to_opensearch));
    snprintf(s->config_path, sizeof s->config_path, "%s/steps.ini", test_folder());
    file = fopen(s->config_path, "we");
    assert_non_null(file);
    fputs(text.data, file);
    fclose(file);
    buf_release(&text);
}

static void make_members(struct steps *s)
{
    char text[400];

    index_delete(s->stage->scene->settings, "members");
    snprintf(text, sizeof text, "/%smembers", s->stage->scene->settings->opensearch.prefix);
    json_decref(index_ask(s->stage->scene->settings, "PUT", text,
                          "{\"settings\":{\"number_of_replicas\":0},\"mappings\":{\"properties\":{\"user\":{"
                          "\"properties\":{\"id\":{\"type\":\"keyword\"},\"name\":{\"type\":\"keyword\"},"
                          "\"@v\":{\"type\":\"long\"}}}}}}"));
    snprintf(
        text, sizeof text,
        "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m\"}}\n{\"user\":{\"id\":\"1\",\"name\":\"0\",\"@v\":0}}\n",
        s->stage->scene->settings->opensearch.prefix);
    index_bulk(s->stage->scene->settings, text);
}

/* A kill of Redis loses nothing that was written to its file; that it is written at once is asked for here. */
static void redis_keeps(struct steps *s)
{
    redis_drop(s->stage->scene->redis);
    scene_redis(s->stage->scene, "CONFIG SET appendfsync always");
}

static int setup(void **state)
{
    struct steps *s = xcalloc(1, sizeof *s);
    int opensearch_port;

    s->postgres = postgres_server_start();
    s->stage = outbox_stage_open(s->postgres, ini);
    opensearch_port = atoi(strrchr(s->stage->scene->settings->opensearch.url, ':') + 1);
    s->to_postgres = step_proxy_start(server_port(s->postgres));
    s->to_redis = step_proxy_start(server_port(s->stage->scene->redis_server));
    s->to_opensearch = step_proxy_start(opensearch_port);
    write_config(s, opensearch_port);
    make_members(s);
    redis_keeps(s);
    postgres_do(s->stage->link, "CREATE TABLE history (revision int PRIMARY KEY); INSERT INTO history VALUES (0)");
    s->crier = crier_serve_start(s->config_path);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct steps *s = *state;

    server_free(s->crier);
    step_proxy_free(s->to_postgres);
    step_proxy_free(s->to_redis);
    step_proxy_free(s->to_opensearch);
    index_delete(s->stage->scene->settings, "members");
    outbox_stage_close(s->stage);
    server_free(s->postgres);
    free(s);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- a change, its document
 */

/* The platform's transaction: what it keeps itself, and the event. Whether it is committed a kill may leave open. */
static void change(struct steps *s)
{
    char sql[300];
    struct error err;

    s->revision++;
    snprintf(sql, sizeof sql,
             "BEGIN; INSERT INTO history VALUES (%d); INSERT INTO crier_outbox (type, subject, revision, payload)"
             " VALUES ('user.updated', 'users/1', %d, '{\"name\": \"%d\"}'); COMMIT",
             s->revision, s->revision, s->revision);
    if (!postgres_script(s->stage->link, sql, &err))
        print_message("the platform: %s\n", err.text);
}

/* The revision the document has; it is always whole. */
static int64_t document(struct steps *s)
{
    char path[200], name[24];
    json_t *found;
    int64_t revision;

    snprintf(path, sizeof path, "/%smembers/_doc/m", s->stage->scene->settings->opensearch.prefix);
    found = index_ask(s->stage->scene->settings, "GET", path, NULL);
    revision = json_integer_value(json_at(found, "_source.user.@v"));
    snprintf(name, sizeof name, "%lld", (long long)revision);
    assert_string_equal(json_string_value(json_at(found, "_source.user.name")), name);
    json_decref(found);
    return revision;
}

static int64_t committed(struct steps *s)
{
    return postgres_number(s->stage->link, "SELECT max(revision) FROM history");
}

/* Whether the change went all the way, and nothing more is to be done about it; false also where a server is away. */
static bool settled(struct steps *s, int64_t wanted)
{
    const struct reply *pending = NULL;
    struct postgres_rows *rows = NULL;
    struct error err;
    bool all;

    if (document(s) != wanted)
        return false;
    all = postgres_query(s->stage->link, "SELECT FROM crier_outbox LIMIT 1", NULL, 0, &rows, &err) &&
          postgres_row_count(rows) == 0 &&
          redis_do(s->stage->scene->redis, s->stage->scene->arena, &pending, &err,
                   "XPENDING crier:{changes}:stream members") &&
          pending->items[0].integer == 0;
    postgres_rows_free(rows);
    return all;
}

/* Until then, or until the proxy strikes, where one is given. */
static void wait_until_settled(struct steps *s, int64_t wanted, struct step_proxy *or_struck)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!(or_struck && step_proxy_struck(or_struck)) && !settled(s, wanted)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the document has revision %lld instead of %lld, or something is left behind",
                     (long long)document(s), (long long)wanted);
        usleep(LOOK_AGAIN_US);
    }
}

/* Each committed revision once in the stream, and no other; and nothing left behind. */
static void assert_all_came(struct steps *s)
{
    int64_t count = postgres_number(s->stage->link, "SELECT count(*) - 1 FROM history");
    struct event *events = outbox_stage_events(s->stage, (size_t)count);
    char sql[100];

    for (int64_t i = 0; i < count; i++) {
        snprintf(sql, sizeof sql, "SELECT count(*) FROM history WHERE revision = %lld", (long long)events[i].revision);
        assert_int_equal(postgres_number(s->stage->link, sql), 1);
        if (i > 0)
            assert_true(events[i].revision > events[i - 1].revision);
    }
    outbox_stage_wait_rows(s->stage, "crier_outbox", 0);
    outbox_stage_wait_rows(s->stage, "crier_outbox_parked", 0);
    assert_int_equal(scene_redis(s->stage->scene, "XLEN crier:{changes}:dead")->integer, 0);
}

/* ------------------------------------------------------------------------------------------------------------- steps
 */

/* A change, while the number-th message from now on kills the victim. False: no message was left to kill at. */
static bool step(struct steps *s, struct step_proxy *proxy, int number, const char *const words[],
                 struct server *victim)
{
    bool struck;

    step_proxy_arm(proxy, number, words, server_pid(victim));
    change(s);
    wait_until_settled(s, s->revision, proxy);
    struck = step_proxy_disarm(proxy); /* what passes from now on is of no change */
    if (struck) {
        print_message("%3d: killed at a %s\n", number, step_proxy_message(proxy));
        server_kill(victim); /* waits for its end */
        server_restart(victim);
        if (victim == s->postgres)
            postgres_drop(s->stage->link);
        if (victim == s->stage->scene->redis_server)
            redis_keeps(s);
        wait_until_settled(s, committed(s), NULL);
    }
    return struck;
}

/* last: in the last message that is of interest; NULL: all of them are. */
static void walk(struct steps *s, struct step_proxy *proxy, const char *const words[], struct server *victim,
                 const char *last)
{
    int64_t began_ms = clock_monotonic_ms();
    int number = 1;

    change(s); /* with warm links, so that a change is all that passes */
    wait_until_settled(s, s->revision, NULL);
    while (step(s, proxy, number, words, victim) && !(last && strstr(step_proxy_message(proxy), last)))
        if (++number > STEPS_MOST)
            fail_msg("no end of messages");
    print_message("%d steps in %lld ms\n", number, (long long)(clock_monotonic_ms() - began_ms));
    assert_true(number > 2);
    assert_all_came(s);
}

/* The reply to the commit of the relay's transaction; after it the relay looks for more and finds nothing. */
static const char relay_end[] = "C....COMMIT";

static void crier_is_killed_at_each_message_to_or_from_postgres(void **state)
{
    struct steps *s = *state;

    walk(s, s->to_postgres, NULL, s->crier, relay_end);
}

static void postgres_is_killed_at_each_message_to_or_from_crier(void **state)
{
    struct steps *s = *state;

    walk(s, s->to_postgres, NULL, s->postgres, relay_end);
}

/* What a change takes: appended, read, acknowledged. The rest looks after the service itself, all the time. */
static const char *const redis_words[] = {"EVALSHA", "XREADGROUP", "XACK", NULL};

static void crier_is_killed_at_each_message_to_or_from_redis(void **state)
{
    struct steps *s = *state;

    walk(s, s->to_redis, redis_words, s->crier, NULL);
}

static void redis_is_killed_at_each_message_to_or_from_crier(void **state)
{
    struct steps *s = *state;

    walk(s, s->to_redis, redis_words, s->stage->scene->redis_server, NULL);
}

static void crier_is_killed_at_each_message_to_or_from_opensearch(void **state)
{
    static const char *const words[] = {"_search", "_bulk", "_mget", NULL};
    struct steps *s = *state;

    walk(s, s->to_opensearch, words, s->crier, NULL);
}

/* --------------------------------------------------------------------------------------------------------- the
 * platform */

/* psql as the platform, by way of the proxy: each -c is a message of its own. Returns its pid. */
static pid_t start_platform(struct steps *s, int held)
{
    char program[300], url[100], history[100], event[300];
    pid_t child;

    snprintf(url, sizeof url, "postgresql://crier@127.0.0.1:%d/crier", step_proxy_port(s->to_postgres));
    snprintf(history, sizeof history, "INSERT INTO history VALUES (%d)", s->revision);
    snprintf(event, sizeof event,
             "INSERT INTO crier_outbox (type, subject, revision, payload)"
             " VALUES ('user.updated', 'users/1', %d, '{\"name\": \"%d\"}')",
             s->revision, s->revision);
    postgres_server_program("psql", program, sizeof program);
    child = fork_bound();
    if (child == 0) {
        char go;

        if (read(held, &go, 1) == 1)
            execl(program, "psql", "--quiet", "--no-psqlrc", url, "-c", "BEGIN", "-c", history, "-c", event, "-c",
                  "COMMIT", (char *)NULL);
        _exit(127);
    }
    return child;
}

static bool platform_step(struct steps *s, int number)
{
    int held[2], status;
    pid_t platform;
    bool struck;

    s->revision++;
    assert_int_equal(pipe2(held, O_CLOEXEC), 0);
    platform = start_platform(s, held[0]);
    step_proxy_arm(s->to_postgres, number, NULL, (int)platform);
    assert_int_equal(write(held[1], "g", 1), 1);
    assert_int_equal(waitpid(platform, &status, 0), platform);
    close(held[0]);
    close(held[1]);
    struck = step_proxy_disarm(s->to_postgres);
    assert_true(struck || (WIFEXITED(status) && WEXITSTATUS(status) == 0)); /* its good-bye comes too late for a kill */
    return struck;
}

static void the_platform_is_killed_at_each_message_of_its_transaction(void **state)
{
    struct steps *s = *state;
    int64_t before = postgres_number(s->stage->link, "SELECT count(*) FROM history"), came;
    int number = 1;

    server_kill(s->crier); /* its messages would be counted too */
    while (platform_step(s, number))
        if (++number > STEPS_MOST)
            fail_msg("no end of messages");
    server_restart(s->crier);
    came = postgres_number(s->stage->link, "SELECT count(*) FROM history") - before;
    print_message("%d steps, %lld of them after the commit\n", number - 1, (long long)came - 1);
    assert_true(came >= 2); /* the reply to COMMIT was held once, and once nothing */
    assert_true(came < number);
    wait_until_settled(s, committed(s), NULL);
    assert_all_came(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_platform_is_killed_at_each_message_of_its_transaction),
        cmocka_unit_test(crier_is_killed_at_each_message_to_or_from_postgres),
        cmocka_unit_test(postgres_is_killed_at_each_message_to_or_from_crier),
        cmocka_unit_test(crier_is_killed_at_each_message_to_or_from_redis),
        cmocka_unit_test(redis_is_killed_at_each_message_to_or_from_crier),
        cmocka_unit_test(crier_is_killed_at_each_message_to_or_from_opensearch),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
