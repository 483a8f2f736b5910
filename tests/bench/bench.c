/*
 * bench - how fast crier is against what the servers themselves can take, in one interleaved run.
 *
 * usage: bench [EVENTS [JSON FILE [doors]]]
 *
 * ceiling   the same documents straight by _bulk, two keep-alive connections, 1,000 a request
 * worker    as many events waiting in the stream -> OpenSearch; and the same with 20 % that share an id with another
 * door      POST /events in batches of 500 and one by one; `crier emit` from a file
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "bench/load.h"
#include "bench/measure.h"
#include "bench/posting.h"
#include "config/settings.h"
#include "scheduler/verbs.h"
#include "support/pause.h"
#include "support/server.h"
#include "support/usage.h"

enum { DOCS_A_REQUEST = 1000, EVENTS_A_POST = 500, CONNECTIONS = 2, SINGLES = 20000 };

struct result {
    const char *name;
    int64_t count;
    double seconds, ratio; /* ratio: to the ceiling; 0: not one */
    double crier_us, redis_us, opensearch_us;
    int64_t peak_kib;
};

struct bench {
    struct server *redis, *opensearch;
    struct settings *settings;
    char config_path[300];
    int64_t events;
    struct result results[16];
    size_t count;
};

/* ------------------------------------------------------------------------------------------------------ usage */

struct meter {
    struct usage crier, redis, opensearch;
};

static struct meter meter_read(const struct bench *b, int crier_pid)
{
    return (struct meter){crier_pid ? usage_of(crier_pid) : (struct usage){0}, usage_of(server_pid(b->redis)),
                          b->opensearch ? usage_of(server_pid(b->opensearch)) : (struct usage){0}};
}

static struct result *note(struct bench *b, const char *name, int64_t count, double seconds, struct meter before,
                           struct meter after)
{
    struct result *r = &b->results[b->count++];

    *r = (struct result){.name = name, .count = count, .seconds = seconds, .peak_kib = after.crier.peak_kib};
    r->crier_us = (double)(after.crier.cpu_us - before.crier.cpu_us) / (double)count;
    r->redis_us = (double)(after.redis.cpu_us - before.redis.cpu_us) / (double)count;
    r->opensearch_us = (double)(after.opensearch.cpu_us - before.opensearch.cpu_us) / (double)count;
    fprintf(stderr, "%-22s %10lld in %7.2f s = %9.0f/s\n", name, (long long)count, seconds, (double)count / seconds);
    return r;
}

/* ---------------------------------------------------------------------------------------------------- ceiling */

static void ceiling(struct bench *b, const char *name, const char *index)
{
    struct arena *arena = arena_new();
    struct posting p = {.content_type = "application/x-ndjson", .count = (size_t)(b->events / DOCS_A_REQUEST)};
    char url[300];
    struct meter before;
    double seconds;

    snprintf(url, sizeof url, "%s/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason",
             opensearch_server_url(b->opensearch));
    p.url = url;
    p.bodies = xcalloc(p.count, sizeof *p.bodies);
    for (size_t i = 0; i < p.count; i++) {
        buf_init(&p.bodies[i]);
        arena_reset(arena);
        for (int64_t n = 0; n < DOCS_A_REQUEST; n++) {
            struct event e;

            load_event(&e, (int64_t)i * DOCS_A_REQUEST + n, b->events, arena);
            load_add_bulk(&p.bodies[i], index, &e);
        }
    }
    before = meter_read(b, 0);
    seconds = posting_send(&p, CONNECTIONS);
    note(b, name, b->events, seconds, before, meter_read(b, 0))->ratio = 1;
    posting_release(&p);
    arena_free(arena);
}

/* ----------------------------------------------------------------------------------------------------- worker */

static void delete_index(struct bench *b, const char *pattern)
{
    struct http *http = http_new(&(struct http_options){.connect_ms = 5000, .timeout_ms = 60000});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;
    char url[300];

    snprintf(url, sizeof url, "%s/%s", opensearch_server_url(b->opensearch), pattern);
    if (!http_send(http, &(struct http_request){.method = "DELETE", .url = url}, &reply, &err))
        measure_failed(url, err.text);
    buf_release(&reply.body);
    http_free(http);
}

static void worker(struct bench *b, const char *name, int64_t distinct)
{
    struct redis *r = redis_new(&(struct redis_options){&b->settings->redis.address, 60000});
    struct arena *arena = arena_new();
    struct server *serve;
    struct meter before;
    struct error err;
    int64_t start_us;
    double seconds;

    if (!redis_do(r, arena, NULL, &err, "FLUSHALL"))
        measure_failed("FLUSHALL", err.text);
    load_append(b->settings, r, b->events, distinct);
    before = meter_read(b, 0);
    start_us = clock_wall_us();
    serve = crier_serve_start(b->config_path);
    while (!load_is_done(r, "statistics", arena))
        pause_ms(20);
    seconds = measure_seconds_since(start_us);
    note(b, name, b->events, seconds, before, meter_read(b, server_pid(serve)));
    server_stop(serve);
    server_free(serve);
    delete_index(b, "events-stats-record-view-*");
    arena_free(arena);
    redis_free(r);
}

/* ------------------------------------------------------------------------------------------------------- door */

static void door(struct bench *b, const char *name, struct server *serve, size_t a_post, int64_t from, int64_t count,
                 int connections)
{
    struct posting p = {.count = (size_t)count / a_post};
    struct meter before;
    char url[300];
    double seconds;

    snprintf(url, sizeof url, "http://127.0.0.1:%d/events", server_port(serve));
    p.url = url;
    p.content_type = a_post > 1 ? "application/cloudevents-batch+json" : "application/cloudevents+json";
    p.bodies = xcalloc(p.count, sizeof *p.bodies);
    for (size_t i = 0; i < p.count; i++) {
        buf_init(&p.bodies[i]);
        if (a_post > 1)
            buf_add_char(&p.bodies[i], '[');
        for (size_t n = 0; n < a_post; n++) {
            if (n)
                buf_add_char(&p.bodies[i], ',');
            load_add_raw(&p.bodies[i], from + (int64_t)(i * a_post + n));
        }
        if (a_post > 1)
            buf_add_char(&p.bodies[i], ']');
    }
    before = meter_read(b, server_pid(serve));
    seconds = posting_send(&p, connections);
    note(b, name, count, seconds, before, meter_read(b, server_pid(serve)));
    posting_release(&p);
}

static void emit_file(struct bench *b, int64_t from, int64_t count)
{
    struct buf text = BUF_INIT;
    char path[300];
    struct meter before;
    int64_t start_us;
    char *out = NULL;
    FILE *file;

    snprintf(path, sizeof path, "%s/events.ndjson", test_folder());
    file = fopen(path, "w");
    for (int64_t n = 0; file && n < count; n++) {
        buf_reset(&text);
        load_add_raw(&text, from + n);
        fprintf(file, "%s\n", text.data);
    }
    if (!file || fclose(file) != 0)
        measure_failed(path, "cannot be written");
    before = meter_read(b, 0);
    start_us = clock_wall_us();
    if (crier_run(&out, (const char *const[]){"emit", "--config", b->config_path, "--json", path, NULL}) != 0)
        measure_failed("crier emit", out);
    note(b, "emit", count, measure_seconds_since(start_us), before, meter_read(b, 0));
    free(out);
    buf_release(&text);
}

static void doors(struct bench *b)
{
    int64_t count = b->events / 4;
    struct server *serve = crier_serve_start(b->config_path);

    door(b, "door, batches of 500", serve, EVENTS_A_POST, 0, count, CONNECTIONS);
    door(b, "door, one by one", serve, 1, count, SINGLES, 4);
    server_stop(serve);
    server_free(serve);
    emit_file(b, count + SINGLES, count);
}

/* ----------------------------------------------------------------------------------------------------- report */

static double ceiling_rate(const struct bench *b)
{
    double documents = 0, seconds = 0;

    for (size_t i = 0; i < b->count; i++)
        if (b->results[i].ratio > 0) {
            documents += (double)b->results[i].count;
            seconds += b->results[i].seconds;
        }
    return seconds > 0 ? documents / seconds : 1;
}

static void report(struct bench *b, const char *json_path)
{
    double top = ceiling_rate(b);
    struct buf json = BUF_INIT;
    FILE *file;

    printf("%-22s %10s %10s %8s %9s %9s %11s %9s\n", "measurement", "events", "per s", "ceiling", "crier us",
           "redis us", "search us", "peak MiB");
    for (size_t i = 0; i < b->count; i++) {
        const struct result *r = &b->results[i];
        double rate = (double)r->count / r->seconds;

        printf("%-22s %10lld %10.0f %8.2f %9.2f %9.2f %11.2f %9.1f\n", r->name, (long long)r->count, rate, rate / top,
               r->crier_us, r->redis_us, r->opensearch_us, (double)r->peak_kib / 1024);
        buf_printf(&json,
                   "%s{\"measurement\":\"%s\",\"events\":%lld,\"seconds\":%.3f,\"per_second\":%.0f,"
                   "\"of_ceiling\":%.3f,\"crier_cpu_us\":%.2f,\"redis_cpu_us\":%.2f,\"opensearch_cpu_us\":%.2f,"
                   "\"peak_kib\":%lld}",
                   i ? ",\n " : "[", r->name, (long long)r->count, r->seconds, rate, rate / top, r->crier_us,
                   r->redis_us, r->opensearch_us, (long long)r->peak_kib);
    }
    buf_add_text(&json, "]\n");
    file = json_path ? fopen(json_path, "w") : NULL;
    if (file) {
        fwrite(json.data, 1, json.length, file);
        fclose(file);
    }
    buf_release(&json);
}

/* In turn, as the speed of a shared machine drifts; before that the server is warmed up, also with the templates. */
static void against_ceiling(struct bench *b)
{
    int64_t events = b->events;
    size_t before = b->count;

    b->events = events / 3 - events / 3 % DOCS_A_REQUEST;
    worker(b, "warm-up", b->events);
    ceiling(b, "warm-up", "events-stats-ceiling-2026-11");
    delete_index(b, "events-stats-ceiling-*");
    b->count = before;
    b->events = events;
    ceiling(b, "ceiling", "events-stats-ceiling-2026-11");
    delete_index(b, "events-stats-ceiling-*");
    worker(b, "worker, distinct", events);
    ceiling(b, "ceiling again", "events-stats-ceiling-2026-11");
    delete_index(b, "events-stats-ceiling-*");
    worker(b, "worker, 20 % repeated", events * 5 / 6);
}

/* Without a handler the doors are measured alone. */
static void write_config(struct bench *b, char *path, size_t size, const char *opensearch, const char *handler)
{
    FILE *file;

    snprintf(path, size, "%s/bench.ini", test_folder());
    file = fopen(path, "w");
    if (!file)
        measure_failed(path, "cannot be written");
    fprintf(file,
            "[service]\nlog = error\n[redis]\nurl = %s\n[opensearch]\nurl = %s\n[http]\nlisten = 127.0.0.1:0\n"
            "[queue statistics]\nevents = record-view\n"
            "[event record-view]\nprepare = robots machines visitor\nunique = data.recid visitor_id time/10s\n%s",
            redis_server_url(b->redis), opensearch, handler);
    fclose(file);
}

static void load_config(struct bench *b)
{
    struct buf mistakes = BUF_INIT;
    struct error err;

    settings_free(b->settings);
    b->settings = settings_load(b->config_path, scheduler_outside(), &mistakes, &err);
    if (!b->settings)
        measure_failed("configuration", mistakes.data);
}

int main(int argc, char **argv)
{
    struct bench b = {.events = argc > 1 ? atoll(argv[1]) : 1000000};

    http_global_init();
    b.events -= b.events % (4 * DOCS_A_REQUEST);
    b.redis = redis_server_start(measure_redis_arguments);
    write_config(&b, b.config_path, sizeof b.config_path, "http://127.0.0.1:9", "");
    load_config(&b);
    doors(&b);
    if (argc < 4) {
        b.opensearch = opensearch_server_start_own();
        write_config(&b, b.config_path, sizeof b.config_path, opensearch_server_url(b.opensearch),
                     "[handler views]\ntype = statistics\nqueue = statistics\nschedule = at once\n"
                     "index = events-stats-{type}-{time:%Y-%m}\n");
        load_config(&b);
        against_ceiling(&b);
    }
    report(&b, argc > 2 ? argv[2] : NULL);
    settings_free(b.settings);
    server_free(b.redis);
    server_free(b.opensearch);
    return 0;
}
