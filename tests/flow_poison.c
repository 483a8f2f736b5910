/* One event whose handling never ends, in a service that is killed each time: it is set aside, and nobody waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "notifier/dead.h"
#include "support/fault_proxy.h"
#include "support/scene.h"
#include "support/search_index.h"

enum { NEIGHBOURS = 20, POISON_BYTES = 100000, DELIVERIES = 5, PATIENCE_MS = 60000 };

struct stage {
    struct scene *scene;
    struct server *search, *serve;
    struct fault_proxy *proxy;
    struct settings direct; /* past the proxy */
    char audit_path[300], search_url[100];
};

/* The bulk that holds the poison is neither forwarded nor answered. */
static const struct fault hang = {.path_with = "_bulk", .longer_than = POISON_BYTES, .link = FAULT_HANG};

static int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);
    char ini[1000];

    assert_non_null(st);
    st->search = opensearch_server_start();
    snprintf(st->search_url, sizeof st->search_url, "%s", opensearch_server_url(st->search));
    st->proxy = fault_proxy_start(atoi(strrchr(st->search_url, ':') + 1));
    snprintf(st->audit_path, sizeof st->audit_path, "%s/poison.ndjson", test_folder());
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = %s\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"
             "[audit]\nfile = %s\n[queue q]\nevents = **\n"
             "[handler views]\ntype = statistics\nqueue = q\nevents = record.viewed\nschedule = every 100ms\n"
             "parallel = 1\nindex = poison\n"
             "[handler trail]\ntype = audit\nqueue = q\nevents = user.*\nschedule = every 100ms\nindex =\n",
             fault_proxy_url(st->proxy), st->audit_path);
    st->scene = scene_open(ini);
    st->direct = *st->scene->settings;
    st->direct.opensearch.url = st->search_url;
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    index_delete(&st->direct, "poison");
    server_free(st->serve);
    fault_proxy_free(st->proxy);
    scene_close(st->scene);
    free(st);
    return 0;
}

static void append_views(struct stage *st)
{
    char *long_data = calloc(1, POISON_BYTES + 100), id[20];
    struct event events[NEIGHBOURS + 1];

    assert_non_null(long_data);
    strcpy(long_data, "{\"recid\":\"1\",\"long\":\"");
    memset(long_data + strlen(long_data), 'x', POISON_BYTES);
    strcat(long_data, "\"}");
    for (int i = 0; i <= NEIGHBOURS; i++) {
        bool poison = i == NEIGHBOURS / 2;

        snprintf(id, sizeof id, poison ? "poison" : "e%d", i);
        events[i] =
            scene_event(st->scene, "record.viewed", id, NULL, REVISION_NONE, poison ? long_data : "{\"recid\":\"1\"}");
    }
    scene_append(st->scene, events, NEIGHBOURS + 1);
    free(long_data);
}

static int64_t letters(struct stage *st)
{
    return scene_redis(st->scene, "XLEN crier:{q}:dead")->integer;
}

static bool hangs(struct stage *st)
{
    return fault_proxy_counts(st->proxy).requests_hung > 0;
}

static bool file_holds(const struct stage *st, const char *id)
{
    struct buf text = BUF_INIT;
    struct error err;
    bool holds = file_read(st->audit_path, 1024 * 1024, &text, &err) && strstr(text.data, id);

    buf_release(&text);
    return holds;
}

/* While one handler hangs the other works. */
static void check_other_handler(struct stage *st, int life)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct event e;
    char id[20];

    snprintf(id, sizeof id, "life%d", life);
    e = scene_event(st->scene, "user.updated", id, "users/1", life, "{}");
    scene_append(st->scene, &e, 1);
    while (!file_holds(st, id))
        assert_true(clock_monotonic_ms() < until_ms);
    assert_true(hangs(st));
}

/* Killed, and, not to wait for it, at once known to be dead. */
static void kill_service(struct stage *st)
{
    const struct reply *alive;

    server_kill(st->serve);
    fault_proxy_down(st->proxy);
    fault_proxy_up(st->proxy);
    fault_proxy_forget(st->proxy);
    alive = scene_redis(st->scene, "KEYS crier:{processes}:*");
    for (size_t i = 0; i < alive->count; i++)
        scene_redis(st->scene, "DEL %s", alive->items[i].text);
}

/* How often the service had to be killed until the event was set aside. */
static int live_and_die(struct stage *st)
{
    int64_t until_ms = clock_monotonic_ms() + 2 * PATIENCE_MS;
    int kills = 0;

    while (letters(st) == 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        if (!hangs(st)) {
            nanosleep(&(struct timespec){0, 20000000}, NULL);
            continue;
        }
        check_other_handler(st, kills);
        kill_service(st);
        kills++;
        server_restart(st->serve);
    }
    return kills;
}

static void what_ends_the_process_each_time_is_a_dead_letter_and_delays_no_other_handler(void **state)
{
    struct stage *st = *state;
    int64_t until_ms;
    struct dead_letter *found;
    struct error err;
    size_t count;

    append_views(st);
    fault_proxy_set(st->proxy, &hang);
    st->serve = crier_serve_start(st->scene->config_path);
    assert_int_equal(live_and_die(st), DELIVERIES);
    assert_true(dead_list(st->scene->redis, "q", NULL, 10, st->scene->arena, &found, &count, &err));
    assert_int_equal(count, 1);
    assert_true(span_is(found[0].event.id, "poison"));
    assert_string_equal(found[0].handler, "views");
    assert_int_equal(found[0].tries, DELIVERIES);
    assert_true(found[0].event.data.length > POISON_BYTES);
    until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (index_count(&st->direct, "poison") != NEIGHBOURS)
        assert_true(clock_monotonic_ms() < until_ms);
    server_stop(st->serve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_ends_the_process_each_time_is_a_dead_letter_and_delays_no_other_handler,
                                        setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
