/*
 * bench_webhooks - what sending webhooks costs, at the defaults, to targets that answer at once.
 *
 * usage: bench_webhooks [TARGETS [RATE [SECONDS]]]      100 1000 20
 *
 * plain      the same requests in a plain loop over one kept link a target: the ceiling of one thread
 * burst      as many deliveries at once
 * sustained  RATE deliveries a second for SECONDS; memory at its peak, and how late they come
 * beside     the same, with a target that hangs, one that floods and one that resets
 * killed     the same, with kill -9 every two seconds
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "bench/hook_crowd.h"
#include "bench/measure.h"
#include "config/settings.h"
#include "handlers/webhook/subscription.h"
#include "notifier/append.h"
#include "support/hook_server.h"
#include "support/scene.h"
#include "support/usage.h"

enum { KILL_EVERY_MS = 2000, WAIT_MS_MOST = 120000 };

struct bench {
    size_t targets, rate, seconds, events; /* events: of one run */
    struct hook_crowd *crowd;
    struct hook_server *hangs, *floods, *resets;
    struct scene *scene;
    struct server *serve;
    size_t next; /* number of the next event */
};

static void pause_until(int64_t until_us)
{
    int64_t left_us = until_us - clock_wall_us();

    if (left_us > 0)
        nanosleep(&(struct timespec){left_us / US_PER_SECOND, left_us % US_PER_SECOND * 1000}, NULL);
}

/* --------------------------------------------------------------------------------------------------------- the stage
 */

static void subscribe(struct bench *b, const char *host, int port, const char *events)
{
    char url[100];
    struct subscription s = {.url = url,
                             .secret = "",
                             .events = events,
                             .within = "",
                             .condition = "",
                             .payload = "cloudevents",
                             .headers = "",
                             .owner = "",
                             .owner_mail = "",
                             .owner_id = "",
                             .closed = "",
                             .created_us = clock_wall_us()};
    struct error err;

    snprintf(url, sizeof url, "http://%s:%d/hook", host, port);
    subscription_make(&s, SIGNATURE_HMAC, b->scene->arena);
    if (!subscription_add(&(struct subscriptions){b->scene->redis, NULL, "out"}, &s, b->scene->arena, &err))
        measure_failed("a subscription", err.text);
}

static void open_stage(struct bench *b)
{
    char ini[1000];

    b->crowd = hook_crowd_start(b->targets, b->events * 5);
    b->hangs = hook_server_start("127.0.0.1");
    b->floods = hook_server_start("127.0.0.1");
    b->resets = hook_server_start("127.0.0.1");
    hook_server_behave(b->hangs, HOOK_HANG);
    hook_server_behave(b->floods, HOOK_FLOOD);
    hook_server_behave(b->resets, HOOK_RESET);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue changes]\nevents = record.*\n"
             "[handler out]\ntype = webhook\nqueue = changes\nschedule = every 100ms\nhttp = yes\nports = %d %d %d %d\n"
             "allow = 127.0.0.0/8\nbacklog = 1000000\n",
             hook_crowd_port(b->crowd), hook_server_port(b->hangs), hook_server_port(b->floods),
             hook_server_port(b->resets));
    b->scene = scene_open(ini);
    for (size_t i = 0; i < b->targets; i++) {
        char host[32];

        snprintf(host, sizeof host, "127.0.1.%zu", i + 1);
        subscribe(b, host, hook_crowd_port(b->crowd), "record.**");
    }
    b->serve = crier_serve_start(b->scene->config_path);
}

static void close_stage(struct bench *b)
{
    server_free(b->serve);
    scene_close(b->scene);
    hook_server_free(b->hangs);
    hook_server_free(b->floods);
    hook_server_free(b->resets);
    hook_crowd_free(b->crowd);
}

static void append(struct bench *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[24], data[200];
        struct event e;

        snprintf(id, sizeof id, "e%zu", b->next);
        snprintf(data, sizeof data, HOOK_CROWD_DATA, b->next++, (long long)clock_wall_us());
        e = scene_event(b->scene, "record.published", id, "records/1", 1, data);
        scene_append(b->scene, &e, 1);
    }
    arena_reset(b->scene->arena);
}

static struct crowd_tally await(struct bench *b, size_t first)
{
    int64_t until_ms = clock_monotonic_ms() + WAIT_MS_MOST;
    size_t wanted = (b->next - first) * b->targets;
    struct crowd_tally t = hook_crowd_tally(b->crowd, first, b->next);

    while (t.distinct < wanted && clock_monotonic_ms() < until_ms) {
        pause_until(clock_wall_us() + 5000);
        t = hook_crowd_tally(b->crowd, first, b->next);
    }
    return t;
}

/* ---------------------------------------------------------------------------------------------------------- the runs
 */

static void print(struct bench *b, const char *name, size_t first, int64_t start_us, int64_t cpu_us)
{
    struct crowd_tally t = await(b, first);
    double seconds = (double)(clock_wall_us() - start_us) / 1e6;
    struct usage u = usage_of(server_pid(b->serve));
    size_t wanted = (b->next - first) * b->targets;

    printf("%-10s %8zu %8zu %6zu %6zu %10.0f %8.1f %8.1f %8.1f", name, wanted, wanted - t.distinct, t.came - t.distinct,
           t.other_ids, (double)t.distinct / seconds, t.median_ms, t.p99_ms, t.most_ms);
    if (cpu_us >= 0)
        printf(" %8.0f", (double)(u.cpu_us - cpu_us) / (double)t.came);
    else
        printf(" %8s", "-");
    printf(" %9.1f\n", (double)u.peak_kib / 1024);
    fflush(stdout);
}

static void plain(struct bench *b)
{
    struct http **links = xcalloc(b->targets, sizeof(struct http *));
    struct http_reply reply = HTTP_REPLY_INIT;
    int64_t start_us = clock_wall_us();
    size_t sent = 0;
    double seconds;

    for (size_t i = 0; i < b->targets; i++)
        links[i] = http_new(&(struct http_options){.connect_ms = 2000, .timeout_ms = 5000});
    for (size_t n = 0; n < b->events; n++)
        for (size_t i = 0; i < b->targets; i++, sent++) {
            char url[100], body[400];
            struct error err;

            snprintf(url, sizeof url, "http://127.0.1.%zu:%d/hook", i + 1, hook_crowd_port(b->crowd));
            snprintf(body, sizeof body,
                     "{\"specversion\":\"1.0\",\"id\":\"e\",\"data\":{\"n\":%zu,\"title\":\"%0100d\"}}", n, 0);
            if (!http_send(links[i],
                           &(struct http_request){.method = "POST",
                                                  .url = url,
                                                  .body = body,
                                                  .length = strlen(body),
                                                  .content_type = "application/cloudevents+json"},
                           &reply, &err))
                measure_failed(url, err.text);
        }
    seconds = (double)(clock_wall_us() - start_us) / 1e6;
    printf("%-10s %8zu %8s %6s %6s %10.0f\n", "plain", sent, "-", "-", "-", (double)sent / seconds);
    for (size_t i = 0; i < b->targets; i++)
        http_free(links[i]);
    free(links);
    buf_release(&reply.body);
}

static void sustain(struct bench *b, const char *name, bool kills)
{
    int64_t start_us = clock_wall_us(), cpu_us = kills ? -1 : usage_of(server_pid(b->serve)).cpu_us,
            kill_us = start_us + KILL_EVERY_MS * 1000;
    size_t first = b->next;

    for (size_t i = 0; i < b->events; i++) {
        append(b, 1);
        if (kills && clock_wall_us() > kill_us) {
            server_kill(b->serve);
            server_restart(b->serve);
            kill_us = clock_wall_us() + KILL_EVERY_MS * 1000;
        }
        pause_until(start_us + (int64_t)((i + 1) * b->targets * 1000000 / b->rate));
    }
    print(b, name, first, start_us, cpu_us);
}

static void burst(struct bench *b)
{
    int64_t start_us = clock_wall_us(), cpu_us = usage_of(server_pid(b->serve)).cpu_us;
    size_t first = b->next;

    append(b, b->events);
    print(b, "burst", first, start_us, cpu_us);
}

static size_t number_of(int count, char **words, int i, size_t otherwise)
{
    return count > i ? strtoul(words[i], NULL, 10) : otherwise;
}

int main(int count, char **words)
{
    struct bench b = {.targets = number_of(count, words, 1, 100),
                      .rate = number_of(count, words, 2, 1000),
                      .seconds = number_of(count, words, 3, 20)};

    b.events = b.rate * b.seconds / b.targets;
    http_global_init();
    open_stage(&b);
    printf("%-10s %8s %8s %6s %6s %10s %8s %8s %8s %8s %9s\n", "run", "wanted", "lost", "again", "ids", "per s",
           "p50 ms", "p99 ms", "most ms", "cpu us", "peak MiB");
    sustain(&b, "sustained", false);
    plain(&b);
    burst(&b);
    subscribe(&b, "127.0.0.1", hook_server_port(b.hangs), "record.**");
    subscribe(&b, "127.0.0.1", hook_server_port(b.floods), "record.**");
    subscribe(&b, "127.0.0.1", hook_server_port(b.resets), "record.**");
    sustain(&b, "beside", false);
    sustain(&b, "killed", true);
    close_stage(&b);
    return 0;
}
