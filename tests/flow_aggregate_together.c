/* One aggregation, asked for by several programs at a time: they take turns, and none undoes what another did. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "scheduler/lease.h"
#include "support/aggregate_stage.h"
#include "support/fault_proxy.h"
#include "support/search_index.h"

enum { PATIENCE_MS = 60000 };

/* A service behind a proxy, which lets its writes hang. */
struct stage {
    struct scene *scene;
    struct server *search, *service;
    struct fault_proxy *proxy;
};

/* The scene's configuration, with another address of OpenSearch. */
static const char *config_with(struct scene *s, const char *url)
{
    const char *path = arena_printf(s->arena, "%s.other", s->config_path), *old = s->settings->opensearch.url;
    FILE *from = fopen(s->config_path, "r"), *to = fopen(path, "w");
    char line[1000];

    assert_non_null(from);
    assert_non_null(to);
    while (fgets(line, sizeof line, from)) {
        const char *found = strstr(line, old);

        if (found)
            fprintf(to, "%.*s%s%s", (int)(found - line), line, url, found + strlen(old));
        else
            fputs(line, to);
    }
    fclose(from);
    fclose(to);
    return path;
}

static int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    assert_non_null(st);
    aggregate_stage_open((void **)&st->scene);
    st->search = opensearch_server_start();
    st->proxy = fault_proxy_start(server_port(st->search));
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    server_free(st->service);
    fault_proxy_free(st->proxy);
    server_free(st->search);
    aggregate_stage_close((void **)&st->scene);
    free(st);
    return 0;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000000}, NULL);
}

static void still_time(int64_t until_ms, const char *what)
{
    if (clock_monotonic_ms() > until_ms)
        fail_msg("%s", what);
    nap();
}

/* Until it has computed all that is marked for the one, and hangs in the write. */
static void service_hangs(struct stage *st)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    fault_proxy_set(st->proxy, &(struct fault){.path_with = "_bulk", .link = FAULT_HANG});
    many_views_happen(st->scene, "2026-10-05", 3);
    scene_redis(st->scene, "DEL crier:{q}:dirty:hour crier:{q}:dirty:month crier:{q}:dirty:year crier:{q}:dirty:all "
                           "crier:{q}:dirty:label crier:{q}:dirty:small");
    st->service = crier_serve_start(config_with(st->scene, fault_proxy_url(st->proxy)));
    while (fault_proxy_counts(st->proxy).requests_hung == 0)
        still_time(until_ms, "no run began");
}

static int verb(struct stage *st)
{
    char *out = NULL;
    int code =
        crier_run(&out, (const char *const[]){"aggregations", "run", "day", "--config", st->scene->config_path, NULL});

    if (code != 0)
        print_message("%s\n", out);
    free(out);
    return code;
}

/* A verb in a thread, not in a forked copy of this process: that would hold the proxy's connections open. */
struct asked {
    struct stage *stage;
    atomic_bool over;
    int code;
};

static void *ask(void *context)
{
    struct asked *a = context;

    a->code = verb(a->stage);
    atomic_store(&a->over, true);
    return NULL;
}

static const char *holder(struct stage *st)
{
    const char *text = scene_redis(st->scene, "GET crier:{lease:handler:day}:holder")->text;

    return text ? text : "";
}

/*
 * Looks on for longer than a lease lasts that nobody renews. False: the machine was so busy that the service, or this
 * test, had no turn when the lease was to be renewed.
 */
static bool lease_is_kept(struct stage *st, const char *first, struct asked *a)
{
    int64_t now_ms = clock_monotonic_ms(), until_ms = now_ms + LEASE_MS + 1000, before_ms;

    while (now_ms < until_ms) {
        const char *now = holder(st);
        bool over = atomic_load(&a->over);
        int64_t left_ms = scene_redis(st->scene, "PTTL crier:{lease:handler:day}:holder")->integer;

        before_ms = now_ms;
        now_ms = clock_monotonic_ms();
        if (left_ms < LEASE_RENEW_MS || now_ms - before_ms > LEASE_RENEW_MS)
            return false;
        assert_string_equal(now, first);
        assert_false(over);
        nap();
    }
    return true;
}

/* False, where the lease was not kept, and all of it ended. */
static bool waits_for_its_turn(struct stage *st)
{
    struct asked a = {.stage = st};
    pthread_t thread;
    const char *first;
    bool kept;

    service_hangs(st);
    first = holder(st);
    assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
    kept = lease_is_kept(st, first, &a);
    fault_proxy_set(st->proxy, NULL);
    pthread_join(thread, NULL);
    if (kept)
        assert_int_equal(a.code, 0);
    server_free(st->service);
    st->service = NULL;
    fault_proxy_forget(st->proxy);
    return kept;
}

static void a_verb_beside_a_service_at_work_waits_for_its_turn(void **state)
{
    enum { TIMES_MOST = 5 };
    struct stage *st = *state;

    for (int i = 1; !waits_for_its_turn(st); i++)
        if (i == TIMES_MOST)
            fail_msg("the lease is not renewed in time");
    assert_int_equal(index_count(st->scene->settings, "stats-day"), 3);
}

/* Its old write goes out only after the new ones, and is refused. */
static void a_service_that_is_stopped_leaves_its_work_to_another_and_undoes_nothing(void **state)
{
    struct stage *st = *state;
    int64_t until_ms;

    service_hangs(st);
    server_pause(st->service);
    assert_int_equal(verb(st), 0);
    many_views_happen(st->scene, "2026-10-05", 3);
    assert_int_equal(verb(st), 0);
    assert_int_equal(aggregate_count(st->scene, "stats-day-2026-10", "ui_k0002-2026-10-05"), 2);
    fault_proxy_set(st->proxy, NULL);
    fault_proxy_forget(st->proxy);
    server_resume(st->service);
    until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (fault_proxy_counts(st->proxy).items_forwarded == 0)
        still_time(until_ms, "the old write never came");
    assert_int_equal(aggregate_count(st->scene, "stats-day-2026-10", "ui_k0002-2026-10-05"), 2);
    many_views_happen(st->scene, "2026-10-05", 3);
    while (aggregation_marks(st->scene, "day") > 0)
        still_time(until_ms, "it does not go on");
    assert_int_equal(aggregate_count(st->scene, "stats-day-2026-10", "ui_k0002-2026-10-05"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_verb_beside_a_service_at_work_waits_for_its_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_service_that_is_stopped_leaves_its_work_to_another_and_undoes_nothing, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
