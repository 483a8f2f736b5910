/*
 * What waiting for a write costs, against the same write straight into the index, in the same run and in turn; and what
 * results cost with many that listen. See tests/bench/waits.sh.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/http.h"
#include "bench/measure.h"
#include "support/server.h"
#include "support/usage.h"

enum {
    ROUNDS_MOST = 1000,
    LISTENERS_MOST = 1000,
    DELAYS_MOST = 1000000,
    TICK_MS = 50,
    TIMED_EACH = 20, /* every so many listeners' results are timed */
    LATE_MS = 20000,
};

struct bench {
    struct server *redis_server, *opensearch, *serve;
    struct http *http;
    int number; /* of the next event */
};

static void serve(struct bench *b, int listeners)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof path, "%s/waits.ini", test_folder());
    file = fopen(path, "we");
    if (!file)
        measure_failed(path, "cannot be written");
    fprintf(file,
            "[service]\nlog = warning\n[redis]\nurl = %s\n[opensearch]\nurl = %s\nprefix = %s\n"
            "[http]\nlisten = 127.0.0.1:0\nstreams = %d\nconnections = %d\n[audit]\nfile = %s/waits.ndjson\n"
            "[queue changes]\nevents = document.* user.*\n"
            "[handler documents]\ntype = record\nqueue = changes\nevents = document.*\nindex = documents\n"
            "[handler trail]\ntype = audit\nqueue = changes\nevents = user.*\nindex =\nschedule = at once\n",
            redis_server_url(b->redis_server), opensearch_server_url(b->opensearch), test_prefix(), listeners + 10,
            listeners + 100, test_folder());
    fclose(file);
    b->serve = crier_serve_start(path);
}

static long send_to(struct bench *b, const char *method, const char *url, const char *body)
{
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;

    if (!http_send(b->http, &(struct http_request){.method = method, .url = url, .body = body, .length = strlen(body)},
                   &reply, &err))
        measure_failed(url, err.text);
    if (reply.status >= 300)
        measure_failed(url, reply.body.length ? reply.body.data : "refused");
    buf_release(&reply.body);
    return reply.status;
}

/* ------------------------------------------------------------------------------------------------------- waits */

static double by_crier(struct bench *b, int round)
{
    char url[200], body[400];
    int64_t began_us = clock_wall_us();

    snprintf(url, sizeof url, "http://127.0.0.1:%d/events?wait=20s", server_port(b->serve));
    snprintf(body, sizeof body,
             "{\"specversion\":\"1.0\",\"id\":\"d%d\",\"source\":\"/bench\",\"type\":\"document.updated\",\"subject\":"
             "\"documents/%d\",\"revision\":%d,\"data\":{\"title\":\"A document that was written just now\"}}",
             round, round % 10, round + 1);
    if (send_to(b, "POST", url, body) != 200)
        measure_failed("wait", "not done in time");
    return (double)(clock_wall_us() - began_us) / 1000;
}

static double straight(struct bench *b, int round, const char *refresh)
{
    char url[300];
    int64_t began_us = clock_wall_us();

    snprintf(url, sizeof url, "%s/%splain/_doc/%d?refresh=%s", opensearch_server_url(b->opensearch), test_prefix(),
             round % 10, refresh);
    send_to(b, "PUT", url, "{\"title\":\"A document that was written just now\"}");
    return (double)(clock_wall_us() - began_us) / 1000;
}

static void say_times(const char *what, double *ms, int rounds)
{
    double median = measure_quantile(ms, (size_t)rounds, 0.5);

    printf("%-46s p50 %7.1f ms   p99 %7.1f ms\n", what, median, measure_quantile(ms, (size_t)rounds, 0.99));
}

static void bench_waits(struct bench *b, int rounds)
{
    static double crier_ms[ROUNDS_MOST], wait_for_ms[ROUNDS_MOST], true_ms[ROUNDS_MOST];

    straight(b, 0, "true");
    by_crier(b, 0);
    for (int i = 0; i < rounds; i++) {
        crier_ms[i] = by_crier(b, i + 1);
        wait_for_ms[i] = straight(b, i + 1, "wait_for");
        true_ms[i] = straight(b, i + 1, "true");
    }
    printf("one document written and searchable, %d times each in turn:\n", rounds);
    say_times("  POST /events?wait", crier_ms, rounds);
    say_times("  straight into the index, refresh=wait_for", wait_for_ms, rounds);
    say_times("  straight into the index, refresh=true", true_ms, rounds);
}

/* --------------------------------------------------------------------------------------------------- listeners */

/* All of them in one thread, which counts what comes. */
struct crowd {
    struct pollfd ends[LISTENERS_MOST];
    char last[LISTENERS_MOST]; /* the byte before what comes next */
    int count;
    atomic_long heard; /* an event each, as the greeting is */
    atomic_bool over;
    double *delays_ms;
    size_t timed;
    pthread_t thread;
};

static int connect_listener(int port)
{
    static const char request[] = "GET /stream HTTP/1.0\r\nHost: localhost\r\n\r\n"; /* 1.0: no chunks */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        write(fd, request, sizeof request - 1) != (ssize_t)sizeof request - 1)
        measure_failed("a listener", "cannot connect");
    return fd;
}

/* Of each result that begins in this piece: the id has the time of its entry. */
static void time_results(struct crowd *c, const char *bytes)
{
    int64_t now_ms = clock_wall_us() / 1000;

    for (const char *id = bytes; (id = strstr(id, "\n\nid: ")) && c->timed < DELAYS_MOST; id += 6)
        c->delays_ms[c->timed++] = (double)(now_ms - strtoll(id + 6, NULL, 10));
}

static void hear(struct crowd *c, int i)
{
    static char bytes[65536 + 1];
    ssize_t got = read(c->ends[i].fd, bytes, sizeof bytes - 1);

    if (got <= 0)
        measure_failed("a listener", "lost its connection");
    bytes[got] = '\0';
    if (i % TIMED_EACH == 0)
        time_results(c, bytes);
    for (char *at = bytes, *end = bytes + got; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        if ((at > bytes ? at[-1] : c->last[i]) == '\n')
            c->heard++;
    c->last[i] = bytes[got - 1];
}

static void *hear_all(void *context)
{
    struct crowd *c = context;

    while (!c->over)
        if (poll(c->ends, (nfds_t)c->count, 100) > 0)
            for (int i = 0; i < c->count; i++)
                if (c->ends[i].revents)
                    hear(c, i);
    return NULL;
}

static void wait_until_heard(struct crowd *c, long count)
{
    int64_t until_ms = clock_monotonic_ms() + LATE_MS;

    while (c->heard < count && clock_monotonic_ms() < until_ms)
        usleep(10000);
}

static struct crowd *crowd_start(int port, int count)
{
    struct crowd *c = xcalloc(1, sizeof *c);

    c->count = count;
    c->delays_ms = xcalloc(DELAYS_MOST, sizeof *c->delays_ms);
    for (int i = 0; i < count; i++)
        c->ends[i] = (struct pollfd){.fd = connect_listener(port), .events = POLLIN};
    pthread_create(&c->thread, NULL, hear_all, c);
    wait_until_heard(c, count); /* where each of them is */
    return c;
}

static void crowd_end(struct crowd *c)
{
    c->over = true;
    pthread_join(c->thread, NULL);
    for (int i = 0; i < c->count; i++)
        close(c->ends[i].fd);
    free(c->delays_ms);
    free(c);
    sleep(2); /* until their places are free */
}

static void post_results(struct bench *b, int count)
{
    struct buf body = BUF_INIT;
    char url[200];

    for (int i = 0; i < count; i++, b->number++)
        buf_printf(&body,
                   "%s{\"specversion\":\"1.0\",\"id\":\"u%d\",\"source\":\"/bench\",\"type\":\"user.updated\","
                   "\"subject\":\"users/%d\"}",
                   i ? "," : "[", b->number, b->number);
    buf_add_char(&body, ']');
    snprintf(url, sizeof url, "http://127.0.0.1:%d/events?operation=new", server_port(b->serve));
    send_to(b, "POST", url, body.data);
    buf_release(&body);
}

static void bench_listeners(struct bench *b, int listeners, int rate, int seconds)
{
    struct crowd *c = crowd_start(server_port(b->serve), listeners);
    struct usage before = usage_of(server_pid(b->serve)), after;
    int64_t began_ms = clock_monotonic_ms(), took_ms;
    long results = 0, greetings = c->heard, due, late;
    double median;

    for (int tick = 1; tick <= seconds * 1000 / TICK_MS; tick++) {
        int count = rate * TICK_MS / 1000 > 0 ? rate * TICK_MS / 1000 : 1;

        post_results(b, count);
        results += count;
        if ((late = (long)(began_ms + (int64_t)tick * TICK_MS - clock_monotonic_ms())) > 0)
            usleep((useconds_t)late * 1000);
    }
    took_ms = clock_monotonic_ms() - began_ms;
    due = results * listeners;
    wait_until_heard(c, greetings + due);
    after = usage_of(server_pid(b->serve));
    median = measure_quantile(c->delays_ms, c->timed, 0.5);
    printf("%4d listeners, %ld results in %.1f s: heard %ld of %ld; delay p50 %.0f ms, p99 %.0f ms; crier's processor "
           "%.1f %%, most memory %.1f MiB\n",
           listeners, results, (double)took_ms / 1000, (long)c->heard - greetings, due, median,
           measure_quantile(c->delays_ms, c->timed, 0.99),
           (double)(after.cpu_us - before.cpu_us) / (double)took_ms / 10, (double)after.peak_kib / 1024);
    crowd_end(c);
}

static int argument(char **argv, int i, int most)
{
    int value = argv[i] ? atoi(argv[i]) : 0;

    if (value < 1 || value > most)
        measure_failed("usage", "bench_waits ROUNDS LISTENERS RATE SECONDS");
    return value;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    int rounds, listeners, rate, seconds;

    if (argc != 5)
        measure_failed("usage", "bench_waits ROUNDS LISTENERS RATE SECONDS");
    rounds = argument(argv, 1, ROUNDS_MOST);
    listeners = argument(argv, 2, LISTENERS_MOST);
    rate = argument(argv, 3, 100000);
    seconds = argument(argv, 4, 3600);
    http_global_init();
    b.redis_server = redis_server_start(NULL);
    b.opensearch = opensearch_server_start();
    b.http = http_new(&(struct http_options){.connect_ms = 2000, .timeout_ms = 30000});
    serve(&b, listeners);
    bench_waits(&b, rounds);
    printf("results as they come:\n");
    for (int part = 0; part <= 4; part += 2)
        bench_listeners(&b, listeners * part / 4, rate, seconds);
    server_free(b.serve);
    for (int i = 0; i < 2; i++) {
        char url[300];

        snprintf(url, sizeof url, "%s/%s%s", opensearch_server_url(b.opensearch), test_prefix(),
                 i ? "plain" : "documents");
        send_to(&b, "DELETE", url, "");
    }
    http_free(b.http);
    server_free(b.opensearch);
    server_free(b.redis_server);
    return 0;
}
