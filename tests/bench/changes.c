/*
 * What it costs to spread a change, against what the servers can take: a floor of nothing but search pages and bulks of
 * the same documents over two connections, in the same run and in turn. See tests/bench/changes.sh.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "config/settings.h"
#include "indexer/bulk.h"
#include "indexer/scroll.h"
#include "indexer/search.h"
#include "notifier/append.h"
#include "notifier/stream.h"
#include "scheduler/verbs.h"
#include "support/pause.h"
#include "support/server.h"
#include "support/usage.h"

enum {
    CONNECTIONS = 2,
    PAGE = 1000,
    LOAD_PAGE = 5000,
    BULK_BYTES = 8 * 1024 * 1024,
    ROUNDS_MOST = 99,
    LONGEST_S = 1800,
};

struct bench {
    struct server *redis_server, *opensearch, *serve;
    struct settings *settings;
    struct redis *redis;
    struct arena *arena;
    struct append *append;
    char config_path[300];
    int64_t revision; /* the next */
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "changes: %s: %s\n", what, why);
    exit(1);
}

static double seconds_since(int64_t start_us)
{
    return (double)(clock_wall_us() - start_us) / 1e6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts them. */
static double quantile(double *values, int count, double part)
{
    qsort(values, (size_t)count, sizeof *values, by_size);
    return values[(int)(part * (count - 1) + 0.5)];
}

static void configure(struct bench *b, const char *more)
{
    struct buf mistakes = BUF_INIT;
    struct error err;
    FILE *file;

    snprintf(b->config_path, sizeof b->config_path, "%s/changes.ini", test_folder());
    file = fopen(b->config_path, "w");
    if (!file)
        die(b->config_path, "cannot be written");
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
        die("configuration", mistakes.data);
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
        die("FLUSHALL", err.text);
    b->serve = crier_serve_start(b->config_path);
    sleep(1);
}

static void end_serve(struct bench *b)
{
    server_stop(b->serve);
    server_free(b->serve);
    b->serve = NULL;
}

/* --------------------------------------------------------------------------------------------------- documents */

/* Of the index of documents. */
static json_t *ask(struct client *c, const char *method, const char *rest, const char *body)
{
    char path[200];
    json_t *answer, *request = body ? json_loads(body, 0, NULL) : NULL;
    struct error err;
    bool missing;

    snprintf(path, sizeof path, "/%smembers%s", client_prefix(c), rest);
    if (!client_json(c, method, path, request, &answer, &missing, &err))
        die(path, err.text);
    json_decref(request);
    return answer;
}

static void send_bulk(struct bulk *b)
{
    struct error err;

    if (!bulk_send(b, &err))
        die("bulk", err.text);
    for (size_t i = 0; i < bulk_count(b); i++)
        if (bulk_item(b, i)->outcome != BULK_DONE)
            die("bulk", bulk_item(b, i)->reason);
    bulk_start(b);
}

/* Small documents, total of them, of users in turn, as a platform writes them at its own version. */
static void load(struct bench *b, int64_t total, int64_t users)
{
    struct client *c = client_new(&b->settings->opensearch);
    struct bulk *bulk = bulk_new(c, BULK_BYTES);
    char id[32];
    size_t number;

    json_decref(ask(c, "DELETE", "", NULL));
    json_decref(ask(c, "PUT", "",
                    "{\"settings\":{\"number_of_shards\":1,\"number_of_replicas\":0},\"mappings\":{\"properties\":"
                    "{\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"name\":{\"type\":\"keyword\"},"
                    "\"@v\":{\"type\":\"long\"}}}}}}"));
    for (int64_t i = 0; i < total; i++) {
        struct bulk_target target = {
            .action = BULK_INDEX, .index = "members", .id = id, .version = 7, .seq_no = -1, .same_version = true};

        snprintf(id, sizeof id, "m%07lld", (long long)i);
        buf_printf(bulk_add(bulk, &target, &number),
                   "{\"uuid\":\"%s\",\"role\":\"reader\",\"visible\":true,\"community_id\":\"c%lld\","
                   "\"user\":{\"id\":\"%lld\",\"name\":\"old\",\"@v\":1}}",
                   id, (long long)(i % 1000), (long long)(i % users));
        if (bulk_count(bulk) == LOAD_PAGE)
            send_bulk(bulk);
    }
    send_bulk(bulk);
    json_decref(ask(c, "POST", "/_refresh", NULL));
    json_decref(ask(c, "POST", "/_forcemerge?max_num_segments=1", NULL));
    bulk_free(bulk);
    client_free(c);
}

static void refresh(const struct bench *b)
{
    struct client *c = client_new(&b->settings->opensearch);

    json_decref(ask(c, "POST", "/_refresh", NULL));
    client_free(c);
}

static void clear(struct bench *b)
{
    struct client *c = client_new(&b->settings->opensearch);

    json_decref(ask(c, "DELETE", "", NULL));
    client_free(c);
}

static int64_t count_at(struct bench *b, const char *user, int64_t revision)
{
    struct client *c = client_new(&b->settings->opensearch);
    char body[200];
    json_t *answer;
    int64_t count;

    json_decref(ask(c, "POST", "/_refresh", NULL));
    snprintf(body, sizeof body,
             "{\"query\":{\"bool\":{\"filter\":[{\"term\":{\"user.id\":\"%s\"}},{\"term\":{\"user.@v\":%lld}}]}}}",
             user, (long long)revision);
    answer = ask(c, "POST", "/_count", body);
    count = json_integer_value(json_object_get(answer, "count"));
    json_decref(answer);
    client_free(c);
    return count;
}

static int64_t writes(struct bench *b)
{
    struct client *c = client_new(&b->settings->opensearch);
    json_t *answer = ask(c, "GET", "/_stats/indexing", NULL);
    int64_t count = json_integer_value(json_at(answer, "_all.primaries.indexing.index_total"));

    json_decref(answer);
    client_free(c);
    return count;
}

/* ------------------------------------------------------------------------------------------------------ the floor */

struct floor_part {
    const struct bench *bench;
    const json_t *query;
    int part;
    pthread_t thread;
};

/* Nothing but pages of whole documents, written back as they are. */
static void *floor_main(void *context)
{
    struct floor_part *p = context;
    struct client *c = client_new(&p->bench->settings->opensearch);
    struct bulk *bulk = bulk_new(c, BULK_BYTES);
    struct arena *arena = arena_new();
    struct scroll *s = scroll_open(c, "members", p->query, PAGE);
    struct hits page;
    struct error err;
    size_t number;

    scroll_part(s, p->part, CONNECTIONS);
    do {
        arena_reset(arena);
        if (!scroll_next(s, arena, &page, &err))
            die("floor", err.text);
        for (size_t i = 0; i < page.count; i++) {
            const struct hit *h = &page.items[i];
            const struct bulk_target target = {.action = BULK_INDEX,
                                               .index = h->index,
                                               .with_prefix = true,
                                               .id = h->id.text,
                                               .version = h->version,
                                               .same_version = true,
                                               .seq_no = -1};

            buf_add(bulk_add(bulk, &target, &number), h->source.text, h->source.length);
        }
        if (page.count > 0)
            send_bulk(bulk);
    } while (page.count > 0);
    scroll_close(s);
    bulk_free(bulk);
    arena_free(arena);
    client_free(c);
    return NULL;
}

static double floor_of(const struct bench *b, const json_t *query)
{
    struct floor_part parts[CONNECTIONS];
    int64_t start_us = clock_wall_us();
    double seconds;

    for (int i = 0; i < CONNECTIONS; i++) {
        parts[i] = (struct floor_part){.bench = b, .query = query, .part = i};
        pthread_create(&parts[i].thread, NULL, floor_main, &parts[i]);
    }
    for (int i = 0; i < CONNECTIONS; i++)
        pthread_join(parts[i].thread, NULL);
    seconds = seconds_since(start_us);
    refresh(b); /* what it wrote is not for the next to bring to light */
    return seconds;
}

static double floor_of_user(const struct bench *b, const char *user)
{
    json_t *query = json_pack("{s:{s:[{s:{s:s}}]}}", "bool", "filter", "term", "user.id", user);
    double seconds = floor_of(b, query);

    json_decref(query);
    return seconds;
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
            die("append", err.text);
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
            die("stream", err.text);
        if (seconds_since(start_us) > LONGEST_S)
            die("changes", "are not spread");
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
            die("mass", err.text);
        if (seconds_since(start_us) > LONGEST_S)
            die("mass", "is not spread");
    } while (reply->integer > 0);
}

static void one_change(struct bench *b, int64_t total, int64_t dependents, int rounds)
{
    double floors[ROUNDS_MOST], ours[ROUNDS_MOST], floor_median, median;
    int64_t before;

    load(b, total, total / dependents);
    serve(b, "schedule = at once\nsecond_look = 0s\n");
    for (int round = -1; round < rounds; round++) { /* the first warms up */
        int64_t start_us, revision = ++b->revision;
        double seconds = floor_of_user(b, "1");

        before = writes(b);
        start_us = clock_wall_us();
        append_changes(b, 1, 1, revision);
        wait_done(b);
        if (round >= 0) {
            floors[round] = seconds;
            ours[round] = seconds_since(start_us);
        }
        if (count_at(b, "1", revision) != dependents || writes(b) - before != dependents)
            die("one change", "documents are missed, or written twice");
    }
    median = quantile(ours, rounds, 0.5);
    floor_median = quantile(floors, rounds, 0.5);
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

    load(b, total, subjects);
    serve(b, "second_look = 0s\n");
    floor = floor_of(b, query);
    before = writes(b);
    start_us = clock_wall_us();
    append_changes(b, 0, subjects, revision);
    wait_done(b);
    wait_mass(b);
    seconds = seconds_since(start_us);
    if (writes(b) - before != total || count_at(b, "1", revision) != total / subjects)
        die("burst", "documents are missed, or written twice");
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

    load(b, total, total / dependents);
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
            die(url, reply.status ? reply.body.data : err.text);
        wait_done(b);
        seconds[i] = seconds_since(start_us);
    }
    printf("latency, %d changes with %lld documents each, at default schedules: p50 %.3f s, p99 %.3f s, worst %.3f s\n",
           changes, (long long)dependents, quantile(seconds, changes, 0.5), quantile(seconds, changes, 0.99),
           quantile(seconds, changes, 1));
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
        seconds = seconds_since(start_us);
        longest = seconds > longest ? seconds : longest;
        arena_reset(b->arena);
        if (!redis_do(b->redis, b->arena, &reply, &err, "ZCARD crier:{changes}:mass:members"))
            die("mass", err.text);
        if (reply->integer == 0)
            return longest;
        sleep(1);
    }
}

/* User 0 has total documents, each of fifty others a thousandth of that. */
static void make_mass(struct bench *b, int64_t total)
{
    struct client *c = client_new(&b->settings->opensearch);
    struct bulk *bulk = bulk_new(c, BULK_BYTES);
    char id[32];
    size_t number;

    load(b, total, 1);
    for (int64_t i = 0; i < total / 20; i++) {
        struct bulk_target target = {
            .action = BULK_INDEX, .index = "members", .id = id, .version = 7, .seq_no = -1, .same_version = true};

        snprintf(id, sizeof id, "n%07lld", (long long)i);
        buf_printf(bulk_add(bulk, &target, &number),
                   "{\"uuid\":\"%s\",\"user\":{\"id\":\"%lld\",\"name\":\"old\",\"@v\":1}}", id,
                   (long long)(1 + i % 50));
        if (bulk_count(bulk) == LOAD_PAGE)
            send_bulk(bulk);
    }
    send_bulk(bulk);
    json_decref(ask(c, "POST", "/_refresh", NULL));
    bulk_free(bulk);
    client_free(c);
}

static void mass(struct bench *b, int64_t total)
{
    int64_t revision = ++b->revision, start_us, before, peak_kib;
    double longest, seconds;
    int others, kills = 3;

    make_mass(b, total);
    serve(b, "rate = 0\nsecond_look = 0s\n");
    before = writes(b);
    start_us = clock_wall_us();
    append_changes(b, 0, 1, revision);
    wait_done(b);
    for (int i = 0; i < kills; i++) {
        while (count_at(b, "0", revision) < total * (i + 1) / 10)
            sleep(1);
        server_kill(b->serve);
        server_restart(b->serve);
    }
    longest = interactive(b, 51, &others);
    seconds = seconds_since(start_us);
    peak_kib = usage_of(server_pid(b->serve)).peak_kib;
    printf("mass, %lld documents, %d times kill -9: %.1f s, peak %.1f MiB, %lld missed, %lld written more than once; "
           "%d interactive changes of %lld documents meanwhile, the longest %.2f s\n",
           (long long)total, kills, seconds, (double)peak_kib / 1024, (long long)(total - count_at(b, "0", revision)),
           (long long)(writes(b) - before - total - others * (total / 1000) - total / 1000), others,
           (long long)(total / 1000), longest);
    fflush(stdout);
    end_serve(b);
}

static const char *const redis_arguments[] = {
    "--appendonly", "yes", "--maxmemory-policy", "noeviction", "--auto-aof-rewrite-percentage", "0", NULL};

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
    b.redis_server = redis_server_start(redis_arguments);
    b.opensearch = opensearch_server_start();
    configure(&b, "");
    one_change(&b, 10 * dependents, dependents, (int)(rounds < ROUNDS_MOST ? rounds : ROUNDS_MOST));
    latency(&b, 100000, 1000, 100);
    burst(&b, 100000, 10000);
    if (million > 0)
        mass(&b, million);
    clear(&b);
    append_free(b.append);
    redis_free(b.redis);
    settings_free(b.settings);
    server_free(b.redis_server);
    server_free(b.opensearch);
    arena_free(b.arena);
    return 0;
}
