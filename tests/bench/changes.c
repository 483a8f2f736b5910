/*
 * What it costs to spread a change, against what the servers can take: a floor of nothing but search pages and bulks of
 * the same documents over two connections, in the same run and in turn. See tests/bench/changes.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "bench/measure.h"
#include "bench/members.h"
#include "bench/members_floor.h"
#include "config/settings.h"
#include "notifier/append.h"
#include "notifier/stream.h"
#include "scheduler/verbs.h"
#include "support/pause.h"
#include "support/server.h"
#include "support/usage.h"

enum { ROUNDS_MOST = 99, LONGEST_S = 1800 };

struct bench {
    struct server *redis_server, *opensearch, *serve;
    struct settings *settings;
    struct redis *redis;
    struct arena *arena;
    struct append *append;
    char config_path[300];
    int64_t revision; /* the next */
};

static void configure(struct bench *b, const char *more)
{
    struct buf mistakes = BUF_INIT;
    struct error err;
    FILE *file;

    snprintf(b->config_path, sizeof b->config_path, "%s/changes.ini", test_folder());
    file = fopen(b->config_path, "w");
    if (!file)
        measure_failed(b->config_path, "cannot be written");
    fprintf(file,
            "[service]\nlog = warning\n[redis]\nurl = %s\n[opensearch]\nurl = %s\nprefix = %s\n[http]\nlisten = "
            "127.0.0.1:0\n"
            "[queue changes]\nevents = user.*\n"
            "[handler members]\ntype = denormalize\nqueue = changes\nindex = members\nmatch = user.id\n"
            "copy = user.name<-data.full_name\nrevision = user.@v\n%s",
            redis_server_url(b->redis_server), opensearch_server_url(b->opensearch), test_prefix(), more);
    fclose(file);
    settings_free(b->settings);
    b->settings = settings_load(b->config_path, scheduler_outside(), &mistakes, &err);
    if (!b->settings)
        measure_failed("configuration", mistakes.data);
    redis_free(b->redis);
    append_free(b->append);
    b->redis = settings_redis(b->settings);
    b->append = append_new(b->settings, b->redis);
}

static void serve(struct bench *b, const char *more)
{
    struct error err;

    configure(b, more);
    if (!redis_do(b->redis, b->arena, NULL, &err, "FLUSHALL"))
        measure_failed("FLUSHALL", err.text);
    b->serve = crier_serve_start(b->config_path);
    sleep(1);
}

static void end_serve(struct bench *b)
{
    server_stop(b->serve);
    server_free(b->serve);
    b->serve = NULL;
}

/* --------------------------------------------------------------------------------------------------------- changes */

static struct event change(struct bench *b, int64_t user, int64_t revision)
{
    struct event e = event_none;
    char time[TIME_TEXT_BYTES];

    e.id = e.unique = span_of(arena_printf(b->arena, "%lld-%lld", (long long)user, (long long)revision));
    e.source = span_of("https://repository.example.org/users");
    e.type = span_of("user.updated");
    e.subject = span_of(arena_printf(b->arena, "users/%lld", (long long)user));
    e.revision = revision;
    e.time_us = clock_wall_us();
    e.time = span_of(arena_text(b->arena, time_text(e.time_us, time)));
    e.data =
        span_of(arena_printf(b->arena, "{\"full_name\":\"User %lld at %lld\"}", (long long)user, (long long)revision));
    return e;
}

static void append_changes(struct bench *b, int64_t from, int64_t count, int64_t revision)
{
    enum { CHUNK = 500 };
    struct event events[CHUNK];
    const struct event *list[CHUNK];
    enum append_outcome outcomes[CHUNK];
    struct error err;

    for (int64_t at = 0; at < count; at += CHUNK) {
        size_t part = (size_t)(count - at < CHUNK ? count - at : CHUNK);

        arena_reset(b->arena);
        for (size_t i = 0; i < part; i++) {
            events[i] = change(b, from + at + (int64_t)i, revision);
            list[i] = &events[i];
        }
        if (!append_events(b->append, list, part, outcomes, &err))
            measure_failed("append", err.text);
    }
}

/* Until the last event is acknowledged. */
static void wait_done(struct bench *b)
{
    int64_t start_us = clock_wall_us();
    struct queue_state state;
    struct error err;

    do {
        pause_ms(1);
        arena_reset(b->arena);
        if (!stream_state(b->redis, "changes", b->arena, &state, &err))
            measure_failed("stream", err.text);
        if (measure_seconds_since(start_us) > LONGEST_S)
            measure_failed("changes", "are not spread");
    } while (state.group_count == 0 || state.groups[0].waiting + state.groups[0].pending > 0);
}

static void wait_mass(struct bench *b)
{
    int64_t start_us = clock_wall_us();
    const struct reply *reply;
    struct error err;

    do {
        pause_ms(20);
        arena_reset(b->arena);
        if (!redis_do(b->redis, b->arena, &reply, &err, "ZCARD crier:{changes}:mass:members"))
            measure_failed("mass", err.text);
        if (measure_seconds_since(start_us) > LONGEST_S)
            measure_failed("mass", "is not spread");
    } while (reply->integer > 0);
}

/* ------------------------------------------------------------------------------------------------------------ runs */

static void one_change(struct bench *b, int64_t total, int64_t dependents, int rounds)
{
    double floors[ROUNDS_MOST], ours[ROUNDS_MOST], floor_median, median;
    int64_t before;

    members_load(b->settings, total, total / dependents);
    serve(b, "schedule = at once\nsecond_look = 0s\n");
    for (int round = -1; round < rounds; round++) { /* the first warms up */
        int64_t start_us, revision = ++b->revision;
        double seconds = members_floor_of(b->settings, "1");

        before = members_writes(b->settings);
        start_us = clock_wall_us();
        append_changes(b, 1, 1, revision);
        wait_done(b);
        if (round >= 0) {
            floors[round] = seconds;
            ours[round] = measure_seconds_since(start_us);
        }
        if (members_count_at(b->settings, "1", revision) != dependents ||
            members_writes(b->settings) - before != dependents)
            measure_failed("one change", "documents are missed, or written twice");
    }
    median = measure_quantile(ours, (size_t)rounds, 0.5);
    floor_median = measure_quantile(floors, (size_t)rounds, 0.5);
    printf("one change, %lld of %lld documents: floor %.3f s (%.3f to %.3f), crier %.3f s (%.3f to %.3f), ratio %.2f, "
           "peak %.1f MiB\n",
           (long long)dependents, (long long)total, floor_median, floors[0], floors[rounds - 1], median, ours[0],
           ours[rounds - 1], median / floor_median, (double)usage_of(server_pid(b->serve)).peak_kib / 1024);
    fflush(stdout);
    end_serve(b);
}

static void burst(struct bench *b, int64_t total, int64_t subjects)
{
    json_t *query = json_pack("{s:{}}", "match_all");
    double floor, seconds;
    int64_t start_us, revision = ++b->revision, before;

    members_load(b->settings, total, subjects);
    serve(b, "second_look = 0s\n");
    floor = members_floor(b->settings, query);
    before = members_writes(b->settings);
    start_us = clock_wall_us();
    append_changes(b, 0, subjects, revision);
    wait_done(b);
    wait_mass(b);
    seconds = measure_seconds_since(start_us);
    if (members_writes(b->settings) - before != total ||
        members_count_at(b->settings, "1", revision) != total / subjects)
        measure_failed("burst", "documents are missed, or written twice");
    printf("burst, %lld subjects with %lld documents each: floor of all %.2f s, crier %.2f s, peak %.1f MiB\n",
           (long long)subjects, (long long)(total / subjects), floor, seconds,
           (double)usage_of(server_pid(b->serve)).peak_kib / 1024);
    fflush(stdout);
    json_decref(query);
    end_serve(b);
}

/* At default schedules: from the POST of an event to the acknowledgement after its documents. */
static void latency(struct bench *b, int64_t total, int64_t dependents, int changes)
{
    struct http *http = http_new(&(struct http_options){.connect_ms = 5000, .timeout_ms = 60000});
    struct http_reply reply = HTTP_REPLY_INIT;
    double *seconds = xcalloc((size_t)changes, sizeof *seconds);
    struct buf body = BUF_INIT;
    struct http_request request = {.method = "POST", .content_type = "application/cloudevents+json"};
    struct error err;
    char url[100];

    members_load(b->settings, total, total / dependents);
    serve(b, "");
    request.url = url;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/events", server_port(b->serve));
    for (int i = 0; i < changes; i++) {
        int64_t user = i % (total / dependents), revision = ++b->revision, start_us;
        struct event e;

        usleep((unsigned)(50000 + i * 7919 % 1000 * 1000));
        arena_reset(b->arena);
        e = change(b, user, revision);
        buf_reset(&body);
        event_add_json(&e, &body);
        start_us = clock_wall_us();
        request.body = body.data;
        request.length = body.length;
        if (!http_send(http, &request, &reply, &err) || reply.status != 202)
            measure_failed(url, reply.status ? reply.body.data : err.text);
        wait_done(b);
        seconds[i] = measure_seconds_since(start_us);
    }
    printf("latency, %d changes with %lld documents each, at default schedules: p50 %.3f s, p99 %.3f s, worst %.3f s\n",
           changes, (long long)dependents, measure_quantile(seconds, (size_t)changes, 0.5),
           measure_quantile(seconds, (size_t)changes, 0.99), measure_quantile(seconds, (size_t)changes, 1));
    fflush(stdout);
    free(seconds);
    buf_release(&body);
    buf_release(&reply.body);
    http_free(http);
    end_serve(b);
}

/* Interactive changes of others until the mass update is over; the longest. */
static double interactive(struct bench *b, int64_t users, int *count)
{
    const struct reply *reply;
    struct error err;
    double longest = 0;

    for (*count = 0;; ++*count) {
        int64_t start_us = clock_wall_us();
        double seconds;

        append_changes(b, 1 + *count % (users - 1), 1, ++b->revision);
        wait_done(b);
        seconds = measure_seconds_since(start_us);
        longest = seconds > longest ? seconds : longest;
        arena_reset(b->arena);
        if (!redis_do(b->redis, b->arena, &reply, &err, "ZCARD crier:{changes}:mass:members"))
            measure_failed("mass", err.text);
        if (reply->integer == 0)
            return longest;
        sleep(1);
    }
}

static void mass(struct bench *b, int64_t total)
{
    int64_t revision = ++b->revision, start_us, before, peak_kib;
    double longest, seconds;
    int others, kills = 3;

    members_load_mass(b->settings, total);
    serve(b, "rate = 0\nsecond_look = 0s\n");
    before = members_writes(b->settings);
    start_us = clock_wall_us();
    append_changes(b, 0, 1, revision);
    wait_done(b);
    for (int i = 0; i < kills; i++) {
        while (members_count_at(b->settings, "0", revision) < total * (i + 1) / 10)
            sleep(1);
        server_kill(b->serve);
        server_restart(b->serve);
    }
    longest = interactive(b, 51, &others);
    seconds = measure_seconds_since(start_us);
    peak_kib = usage_of(server_pid(b->serve)).peak_kib;
    printf("mass, %lld documents, %d times kill -9: %.1f s, peak %.1f MiB, %lld missed, %lld written more than once; "
           "%d interactive changes of %lld documents meanwhile, the longest %.2f s\n",
           (long long)total, kills, seconds, (double)peak_kib / 1024,
           (long long)(total - members_count_at(b->settings, "0", revision)),
           (long long)(members_writes(b->settings) - before - total - others * (total / 1000) - total / 1000), others,
           (long long)(total / 1000), longest);
    fflush(stdout);
    end_serve(b);
}

static int64_t argument(int argc, char **argv, int i, int64_t fallback)
{
    return argc > i ? atoll(argv[i]) : fallback;
}

int main(int argc, char **argv)
{
    struct bench b = {.arena = arena_new(), .revision = 1};
    int64_t dependents = argument(argc, argv, 1, 10000), rounds = argument(argc, argv, 2, 9),
            million = argument(argc, argv, 3, 1000000);

    http_global_init();
    b.redis_server = redis_server_start(measure_redis_arguments);
    b.opensearch = opensearch_server_start();
    configure(&b, "");
    one_change(&b, 10 * dependents, dependents, (int)(rounds < ROUNDS_MOST ? rounds : ROUNDS_MOST));
    latency(&b, 100000, 1000, 100);
    burst(&b, 100000, 10000);
    if (million > 0)
        mass(&b, million);
    members_remove(b.settings);
    append_free(b.append);
    redis_free(b.redis);
    settings_free(b.settings);
    server_free(b.redis_server);
    server_free(b.opensearch);
    arena_free(b.arena);
    return 0;
}
