/*
 * Everything that can die, dies, under load; in the end every document is compared with the reference model.
 *
 * CRIER_KILLS (50) kills of the service; CRIER_OUTAGE_S (20) seconds without OpenSearch.
 */
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
#include "notifier/stream.h"
#include "support/audit_held.h"
#include "support/fault_proxy.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/traffic.h"
#include "support/work.h"

struct stage {
    struct scene *scene;
    struct server *search, *serve;
    struct fault_proxy *proxy;
    struct settings direct; /* past the proxy */
    char audit_path[300], search_url[100];
};

static int number_of(const char *name, int fallback)
{
    const char *given = getenv(name);

    return given && *given ? atoi(given) : fallback;
}

static void sleep_ms(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void make_members(struct stage *st)
{
    char path[200], index[150], *lines;

    snprintf(index, sizeof index, "%smembers", st->direct.opensearch.prefix);
    snprintf(path, sizeof path, "/%s", index);
    json_decref(index_ask(&st->direct, "PUT", path,
                          "{\"mappings\":{\"properties\":{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},"
                          "\"name\":{\"type\":\"keyword\"},\"@v\":{\"type\":\"long\"}}}}}}"));
    lines = traffic_members(index);
    index_bulk(&st->direct, lines);
    free(lines);
}

static int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);
    char ini[2000], head[310];

    assert_non_null(st);
    st->search = opensearch_server_start_own();
    st->proxy = fault_proxy_start(server_port(st->search));
    snprintf(st->audit_path, sizeof st->audit_path, "%s/audit.ndjson", test_folder());
    snprintf(head, sizeof head, "%s.head", st->audit_path);
    unlink(st->audit_path);
    unlink(head);
    snprintf(
        ini, sizeof ini,
        "[redis]\nurl = REDIS\ntimeout = 2s\n[opensearch]\nurl = %s\nprefix = PREFIX\nconnect = 1s\ntimeout = 10s\n"
        "[http]\nlisten = 127.0.0.1:0\n[audit]\nfile = %s\n"
        "[queue statistics]\nevents = record-view\n[queue changes]\nevents = user.*\n"
        "[event record-view]\nprepare = robots machines visitor\nunique = data.recid visitor_id time/10s\n"
        "[handler views]\ntype = statistics\nqueue = statistics\nschedule = every 100ms\nbatch = 200\n"
        "deadline = 10s\nindex = events-stats-{type}-{time:%%Y-%%m}\n"
        "[handler members]\ntype = denormalize\nqueue = changes\nschedule = every 200ms\ndeadline = 10s\n"
        "index = members\nmatch = user.id\ncopy = user.name<-data.full_name\nrevision = user.@v\n"
        "[handler trail]\ntype = audit\nqueue = changes\nschedule = every 100ms\ndeadline = 10s\n",
        fault_proxy_url(st->proxy), st->audit_path);
    st->scene = scene_open(ini);
    st->direct = *st->scene->settings;
    snprintf(st->search_url, sizeof st->search_url, "%s", opensearch_server_url(st->search));
    st->direct.opensearch.url = st->search_url;
    make_members(st);
    st->serve = crier_serve_start(st->scene->config_path);
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    server_free(st->serve);
    fault_proxy_free(st->proxy);
    server_free(st->search);
    scene_close(st->scene);
    free(st);
    return 0;
}

static void door_url(const struct stage *st, char *out, size_t size)
{
    snprintf(out, size, "http://127.0.0.1:%d", server_port(st->serve));
}

/* ------------------------------------------------------------------------------------------- waiting and looking */

static int64_t left_to_do(struct stage *st)
{
    int64_t left = 0;

    for (size_t q = 0; q < st->scene->settings->queue_count; q++) {
        struct queue_state state;
        struct error err;

        if (!stream_state(st->scene->redis, st->scene->settings->queues[q].name, st->scene->arena, &state, &err))
            return -1;
        for (size_t g = 0; g < state.group_count; g++)
            left += state.groups[g].waiting + state.groups[g].pending;
    }
    arena_reset(st->scene->arena);
    return left;
}

static void wait_until_done(struct stage *st, int64_t seconds)
{
    int64_t until_ms = clock_monotonic_ms() + seconds * 1000, left;

    while ((left = left_to_do(st)) != 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld events are not done after %lld s", (long long)left, (long long)seconds);
        sleep_ms(100);
    }
}

static void check_dead(struct stage *st, int64_t wanted)
{
    struct dead_letter *letters;
    struct error err;
    size_t count;

    assert_true(dead_list(st->scene->redis, "changes", NULL, 10, st->scene->arena, &letters, &count, &err));
    if (count)
        fail_msg("dead by %s: %s: %s", letters[0].handler, letters[0].reason, letters[0].reply);
    assert_true(dead_list(st->scene->redis, "statistics", NULL, 100000, st->scene->arena, &letters, &count, &err));
    for (size_t i = 0; i < count; i++)
        if (!strstr(letters[i].reply, "timestamp"))
            fail_msg("dead: %.*s: %s: %s", (int)letters[i].event.id.length, letters[i].event.id.text, letters[i].reason,
                     letters[i].reply);
    assert_int_equal(count, wanted);
}

static void check_all(struct stage *st, struct traffic *t)
{
    index_count(&st->direct, "events-stats-*"); /* refreshes */
    index_count(&st->direct, "members");
    traffic_check_views(t, &st->direct, "events-stats-*");
    traffic_check_members(t, &st->direct, "members");
    audit_held_check(st->scene, &st->direct, st->audit_path, traffic_changes(t));
    check_dead(st, traffic_broken(t));
}

/* ------------------------------------------------------------------------------------------------- the faults */

/* One bad thing at a time, beside the kills. */
static void change_weather(struct stage *st, int day)
{
    static const struct fault faults[] = {
        {.path_with = "_bulk",     .item_status = 429,      .item_every = 7},
        {.path_with = "_bulk",                        .status = 503                           },
        {.path_with = "_bulk",                        .link = FAULT_RESET_AFTER, .times = 4},
        {.path_with = "_bulk",              .link = FAULT_CUT_REPLY,                                     .times = 4},
        {.path_with = "_bulk",.link = FAULT_ITEM_MISSING,.times = 4},
        {.status = 429,     .retry_after_s = 1,               .times = 5},
        {.link = FAULT_RESET_BEFORE,                        .times = 5                                  },
    };
    size_t which = (size_t)day % (2 * ARRAY_LENGTH(faults));

    fault_proxy_set(st->proxy, which < ARRAY_LENGTH(faults) ? &faults[which] : NULL);
    if (day % 10 == 4) {
        server_kill(st->scene->redis_server);
        sleep_ms(300);
        server_restart(st->scene->redis_server);
        redis_drop(st->scene->redis);
    }
    if (day % 25 == 12) {
        server_stop(st->search);
        sleep_ms(1000);
        server_restart(st->search);
    }
}

/* The weather is fair until no event is in danger to be taken for the cause of the kills. */
static void live_on(struct stage *st, const char *queue, const char *handler)
{
    if (!work_at_risk(st->scene, queue, handler))
        return;
    fault_proxy_set(st->proxy, NULL);
    work_survives(st->scene, queue, handler);
}

/* Most days a kill; every seventh an orderly stop, which has to be one within the time allowed. */
static void end_service(struct stage *st, int day, int64_t *longest_ms)
{
    int64_t start_ms = clock_monotonic_ms(), took_ms;

    if (day % 7 != 6) {
        server_kill(st->serve);
        return;
    }
    server_stop(st->serve);
    took_ms = clock_monotonic_ms() - start_ms;
    assert_int_equal(server_exit_code(st->serve), 0);
    assert_in_range(took_ms, 0, 26000);
    *longest_ms = took_ms > *longest_ms ? took_ms : *longest_ms;
}

static void nothing_is_lost_or_doubled_by_fifty_kills_and_bad_weather(void **state)
{
    struct stage *st = *state;
    int kills = number_of("CRIER_KILLS", 50);
    int64_t longest_ms = 0;
    struct traffic *t;
    char url[100];

    srand((unsigned)number_of("CRIER_SEED", 3));
    door_url(st, url, sizeof url);
    t = traffic_start(url, 997);
    for (int day = 0; day < kills + kills / 6; day++) {
        sleep_ms(100 + rand() % 900);
        live_on(st, "statistics", "views");
        live_on(st, "changes", "members");
        live_on(st, "changes", "trail");
        end_service(st, day, &longest_ms);
        change_weather(st, day);
        server_restart(st->serve);
    }
    fault_proxy_set(st->proxy, NULL);
    sleep_ms(500);
    print_message("%d kills, longest orderly stop %lld ms, %lld views sent\n", kills, (long long)longest_ms,
                  (long long)traffic_stop(t));
    wait_until_done(st, 180);
    check_all(st, t);
    traffic_free(t);
}

static const char *log_path(const struct stage *st)
{
    static char path[400];

    snprintf(path, sizeof path, "%s/log", server_folder(st->serve));
    return path;
}

/* Of the service's log. */
static int lines_since(const struct stage *st, size_t from, const char *word)
{
    struct buf text = BUF_INIT;
    struct error err;
    int lines = 0;

    assert_true(file_read(log_path(st), 64 * 1024 * 1024, &text, &err));
    for (const char *at = text.data + from; (at = strstr(at, word)); at++)
        lines++;
    buf_release(&text);
    return lines;
}

static size_t log_length(const struct stage *st)
{
    struct buf text = BUF_INIT;
    struct error err;
    size_t length;

    assert_true(file_read(log_path(st), 64 * 1024 * 1024, &text, &err));
    length = text.length;
    buf_release(&text);
    return length;
}

static void an_outage_heals_without_restart_and_without_many_words(void **state)
{
    struct stage *st = *state;
    int seconds = number_of("CRIER_OUTAGE_S", 20);
    int64_t down_ms, healed_ms, lasted_s;
    struct traffic *t;
    size_t from;
    char url[100];
    int lines;

    door_url(st, url, sizeof url);
    t = traffic_start(url, 1000000);
    while (traffic_sent(t) < 1000)
        sleep_ms(10);
    from = log_length(st);
    down_ms = clock_monotonic_ms();
    fault_proxy_down(st->proxy);
    sleep_ms(seconds * 1000);
    fault_proxy_up(st->proxy);
    healed_ms = clock_monotonic_ms();
    traffic_stop(t);
    wait_until_done(st, 60);
    lines = lines_since(st, from, "warning:");
    lasted_s = (clock_monotonic_ms() - down_ms) / 1000; /* longer, where the machine is busy */
    print_message("%d s away: %d warnings, all done %lld ms after its end\n", seconds, lines,
                  (long long)(clock_monotonic_ms() - healed_ms));
    assert_in_range(lines, 1, lasted_s / 10 + 1);
    check_all(st, t);
    traffic_free(t);
}

/* Whether each of a handler's lanes has asked for events: one that never did does not know that its group is gone. */
static bool all_lanes_are_there(struct stage *st, const char *queue, const char *handler)
{
    const struct reply *consumers = scene_redis(st->scene, "XINFO CONSUMERS crier:{%s}:stream %s", queue, handler);

    return (int64_t)consumers->count >= settings_handler(st->scene->settings, handler)->parallel;
}

static bool is_remade(struct stage *st)
{
    char *entries = index_dump(&st->direct, "audit-*");
    bool said = strstr(entries, "\"action\":\"crier.group.remade\"") != NULL;

    free(entries);
    return said && lines_since(st, 0, "group of handler views was gone") > 0;
}

static void an_emptied_redis_needs_no_restart(void **state)
{
    struct stage *st = *state;
    int64_t sent, until_ms;
    struct traffic *t;
    char url[100];

    door_url(st, url, sizeof url);
    t = traffic_start(url, 1000000);
    while (index_count(&st->direct, "events-stats-*") == 0 || index_count(&st->direct, "audit-*") == 0)
        sleep_ms(10); /* every handler has begun */
    while (!all_lanes_are_there(st, "statistics", "views"))
        sleep_ms(10);
    scene_redis(st->scene, "FLUSHALL");
    sent = traffic_sent(t);
    while (traffic_sent(t) < sent + 500)
        sleep_ms(10);
    traffic_stop(t);
    for (until_ms = clock_monotonic_ms() + 60000; !is_remade(st); sleep_ms(100))
        assert_true(clock_monotonic_ms() < until_ms);
    wait_until_done(st, 60);
    assert_int_equal(lines_since(st, 0, "group of handler views was gone"), 1);
    traffic_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_lost_or_doubled_by_fifty_kills_and_bad_weather, setup, teardown),
        cmocka_unit_test_setup_teardown(an_outage_heals_without_restart_and_without_many_words, setup, teardown),
        cmocka_unit_test_setup_teardown(an_emptied_redis_needs_no_restart, setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
