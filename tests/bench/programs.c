/*
 * bench_programs - what handing events to the platform's own handlers costs, beside a plain loop in the same run.
 *
 * usage: bench_programs [EVENTS [ROUNDS]]      100000 5
 *        bench_programs answer                 the program of `type = exec`: says of every line that it is done
 *
 * post       events waiting in Redis -> `type = post` -> an endpoint that answers without a body
 * outcomes   the same, where the answer gives each event its outcome
 * exec       the same to a program by `type = exec`
 *
 * Each in turn with two plain loops over as many links. One reads the same events from Redis and acknowledges them, and
 * does nothing else. The other posts the very bodies that the endpoint was sent, or pipes the same lines in pieces of
 * BATCH and waits for as many answers; it knows no Redis. "of both" is crier's rate over that of doing one after the
 * other.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "bench/load.h"
#include "bench/measure.h"
#include "bench/outcomes.h"
#include "bench/plain_loops.h"
#include "notifier/stream.h"
#include "support/post_server.h"
#include "support/scene.h"
#include "support/usage.h"

enum { BATCH = LOAD_TOGETHER, ROUNDS_MOST = 99 };

enum way { POST, OUTCOMES, EXEC, WAYS };

static const char *const way_names[] = {"post", "outcomes", "exec"};

struct figures {
    double per_second[ROUNDS_MOST], cpu_us[ROUNDS_MOST]; /* of an event */
    int64_t peak_kib;
};

struct bench {
    int64_t events;
    int rounds;
    enum way way;
    struct post_server *endpoint;
    char *answer_command;
    bool records;       /* the endpoint keeps what it is sent */
    struct buf *bodies; /* it, of this round; of exec: the lines of BATCH events each */
    size_t body_count;
    struct figures crier[WAYS], read[WAYS], plain[WAYS];
};

static void on_post(void *context, const struct post_request *request, struct post_reply *reply)
{
    struct bench *b = context;

    if (b->records && b->body_count < (size_t)b->events) {
        buf_init(&b->bodies[b->body_count]);
        buf_add(&b->bodies[b->body_count++], request->body, request->length);
    }
    if (b->way == POST)
        return;
    reply->status = 200;
    outcomes_add(request->body, request->length, &reply->body);
}

/* ---------------------------------------------------------------------------------------------------------- crier */

static void note(struct figures *f, int round, int64_t events, struct plain_cost cost)
{
    f->per_second[round] = (double)events * 1e6 / (double)cost.took_us;
    f->cpu_us[round] = (double)cost.cpu_us / (double)events;
}

/* Its start counts too. */
static void run_crier(struct bench *b, int round)
{
    struct buf ini = BUF_INIT;
    struct figures *f = &b->crier[b->way];
    struct scene *s;
    struct server *serve;
    struct usage used;
    struct error err;
    int64_t start_us;

    buf_add_text(
        &ini, "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[service]\nlog = warning\n[queue q]\nevents = **\n"
              "[handler mine]\nqueue = q\nschedule = at once\n");
    if (b->way == EXEC)
        buf_printf(&ini, "type = exec\ncommand = %s\n", b->answer_command);
    else
        buf_printf(&ini, "type = post\nurl = %s\n", post_server_url(b->endpoint));
    s = scene_open(ini.data);
    load_append(s->settings, s->redis, b->events, b->events);
    note(&b->read[b->way], round, b->events, plain_read(s->settings));
    if (!stream_forget(s->redis, "q", "plain", &err))
        measure_failed("plain read", err.text);
    start_us = clock_wall_us();
    serve = crier_serve_start(s->config_path);
    while (!load_is_done(s->redis, "q", s->arena))
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    used = usage_of(server_pid(serve));
    note(f, round, b->events, (struct plain_cost){clock_wall_us() - start_us, used.cpu_us});
    f->peak_kib = used.peak_kib > f->peak_kib ? used.peak_kib : f->peak_kib;
    server_stop(serve);
    server_free(serve);
    scene_close(s);
    buf_release(&ini);
}

static void write_lines(struct bench *b)
{
    struct arena *arena = arena_new();
    struct event e;

    for (int64_t n = 0; n < b->events; n++) {
        if (n % BATCH == 0)
            buf_init(&b->bodies[b->body_count++]);
        arena_reset(arena);
        load_event(&e, n, b->events, arena);
        event_add_json(&e, &b->bodies[b->body_count - 1]);
        buf_add_char(&b->bodies[b->body_count - 1], '\n');
    }
    arena_free(arena);
}

/* --------------------------------------------------------------------------------------------------------- report */

static void report(struct bench *b)
{
    size_t rounds = (size_t)b->rounds;

    printf("%-10s %12s %12s %12s %8s %8s %8s %8s %9s\n", "way", "per s", "read per s", "plain per s", "of both",
           "cpu us", "read us", "plain us", "peak MiB");
    for (int way = 0; way < WAYS; way++) {
        struct figures *crier = &b->crier[way], *reads = &b->read[way], *plain = &b->plain[way];
        double ratios[ROUNDS_MOST];

        for (int i = 0; i < b->rounds; i++)
            ratios[i] = crier->per_second[i] * (1 / reads->per_second[i] + 1 / plain->per_second[i]);
        printf("%-10s %12.0f %12.0f %12.0f %8.2f %8.2f %8.2f %8.2f %9.1f\n", way_names[way],
               measure_quantile(crier->per_second, rounds, 0.5), measure_quantile(reads->per_second, rounds, 0.5),
               measure_quantile(plain->per_second, rounds, 0.5), measure_quantile(ratios, rounds, 0.5),
               measure_quantile(crier->cpu_us, rounds, 0.5), measure_quantile(reads->cpu_us, rounds, 0.5),
               measure_quantile(plain->cpu_us, rounds, 0.5), (double)crier->peak_kib / 1024);
    }
}

static void one_round(struct bench *b, int round)
{
    b->bodies = xcalloc((size_t)b->events, sizeof *b->bodies);
    b->body_count = 0;
    if (b->way == EXEC)
        write_lines(b);
    b->records = b->way != EXEC;
    run_crier(b, round);
    b->records = false;
    note(&b->plain[b->way], round, b->events,
         b->way == EXEC ? plain_pipe(b->bodies, b->body_count)
                        : plain_post(post_server_url(b->endpoint), b->bodies, b->body_count));
    for (size_t i = 0; i < b->body_count; i++)
        buf_release(&b->bodies[i]);
    free(b->bodies);
}

int main(int argc, char **argv)
{
    struct bench b = {.events = argc > 1 ? atoll(argv[1]) : 100000, .rounds = argc > 2 ? atoi(argv[2]) : 5};
    char self[300];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    struct buf command = BUF_INIT;

    if (argc > 1 && strcmp(argv[1], "answer") == 0)
        return outcomes_answer();
    if (length <= 0 || b.events < BATCH || b.rounds < 1 || b.rounds > ROUNDS_MOST)
        measure_failed("usage", "bench_programs [EVENTS [ROUNDS]]");
    buf_printf(&command, "%.*s answer", (int)length, self);
    b.answer_command = buf_take(&command);
    b.events -= b.events % BATCH;
    signal(SIGPIPE, SIG_IGN);
    http_global_init();
    b.endpoint = post_server_start(on_post, &b);
    for (int round = 0; round < b.rounds; round++)
        for (int way = 0; way < WAYS; way++) {
            b.way = (enum way)way;
            one_round(&b, round);
        }
    post_server_free(b.endpoint);
    report(&b);
    free(b.answer_command);
    return 0;
}
