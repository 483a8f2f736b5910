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
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "bench/load.h"
#include "notifier/append.h"
#include "notifier/stream.h"
#include "support/post_server.h"
#include "support/scene.h"
#include "support/usage.h"

enum { BATCH = 1000, LINKS = 2, ROUNDS_MOST = 99 };

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

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_programs: %s: %s\n", what, why);
    exit(1);
}

/* ------------------------------------------------------------------------------------------------- who is at the end
 */

/* The value of the first member "id" of a CloudEvent as crier writes it. */
static struct span id_of(const char *text, const char *end)
{
    static const char mark[] = "\"id\":\"";
    const char *at = memmem(text, (size_t)(end - text), mark, sizeof mark - 1), *quote;

    if (!at)
        return SPAN_NONE;
    at += sizeof mark - 1;
    quote = memchr(at, '"', (size_t)(end - at));
    return (struct span){at, quote ? (size_t)(quote - at) : 0};
}

static void add_outcome(struct buf *out, struct span id)
{
    buf_add_text(out, "{\"id\":\"");
    buf_add(out, id.text, id.length);
    buf_add_text(out, "\",\"outcome\":\"done\"}");
}

static void add_outcomes(const char *body, size_t length, struct buf *out)
{
    const char *end = body + length, *at = body;
    struct span id;

    buf_add_text(out, "{\"outcomes\":[");
    while ((id = id_of(at, end)).length) {
        if (at != body)
            buf_add_char(out, ',');
        add_outcome(out, id);
        at = memmem(id.text, (size_t)(end - id.text), "{\"specversion\"", 14);
        if (!at)
            break;
    }
    buf_add_text(out, "]}");
}

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
    add_outcomes(request->body, request->length, &reply->body);
}

/* The program: answers are written when what was read is through. */
static int answer_lines(void)
{
    struct buf in = BUF_INIT, out = BUF_INIT;
    ssize_t length;

    while ((length = read(STDIN_FILENO, buf_grow(&in, 65536), 65536)) > 0) {
        const char *at, *end;

        buf_grown(&in, (size_t)length);
        for (at = in.data; (end = memchr(at, '\n', in.length - (size_t)(at - in.data))); at = end + 1) {
            add_outcome(&out, id_of(at, end));
            buf_add_char(&out, '\n');
        }
        in.length -= (size_t)(at - in.data);
        memmove(in.data, at, in.length);
        for (size_t done = 0; done < out.length; done += (size_t)length)
            if ((length = write(STDOUT_FILENO, out.data + done, out.length - done)) < 0)
                return 1;
        buf_reset(&out);
    }
    return 0;
}

/* ----------------------------------------------------------------------------------------------------- plain loops */

struct link {
    struct bench *bench;
    struct scene *scene; /* of a loop that reads */
    int number;
    int64_t cpu_us;
    pthread_t thread;
};

static int64_t thread_cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000;
}

static void *read_plainly(void *context)
{
    struct link *l = context;
    struct redis *r = settings_redis(l->scene->settings);
    struct arena *arena = arena_new();
    struct stream_id ids[BATCH];
    struct batch in = {.arena = arena};
    char consumer[20];
    struct stream *stream;
    struct error err;

    snprintf(consumer, sizeof consumer, "plain/%d", l->number);
    stream = stream_new(r, "q", STREAM_TAIL, "plain", consumer);
    do {
        arena_reset(arena);
        if (!stream_read(stream, &in, BATCH, 0, &err))
            die("plain read", err.text);
        for (size_t i = 0; i < in.count; i++)
            ids[i] = in.items[i].id;
        if (in.count > 0 && !stream_ack(stream, ids, in.count, &err))
            die("plain read", err.text);
    } while (in.count > 0);
    stream_free(stream);
    arena_free(arena);
    redis_free(r);
    l->cpu_us = thread_cpu_us();
    return NULL;
}

static void note(struct figures *f, int round, int64_t events, int64_t took_us, int64_t cpu_us)
{
    f->per_second[round] = (double)events * 1e6 / (double)took_us;
    f->cpu_us[round] = (double)cpu_us / (double)events;
}

/* A plain loop over all links. */
static void run_links(struct bench *b, struct scene *s, void *(*loop)(void *), struct figures *f, int round)
{
    struct link links[LINKS];
    int64_t start_us = clock_wall_us(), cpu_us = 0;

    for (int i = 0; i < LINKS; i++) {
        links[i] = (struct link){.bench = b, .scene = s, .number = i};
        pthread_create(&links[i].thread, NULL, loop, &links[i]);
    }
    for (int i = 0; i < LINKS; i++) {
        pthread_join(links[i].thread, NULL);
        cpu_us += links[i].cpu_us;
    }
    note(f, round, b->events, clock_wall_us() - start_us, cpu_us);
}

/* ---------------------------------------------------------------------------------------------------------- crier */

static void fill_stream(struct bench *b, struct scene *s)
{
    struct append *append = append_new(s->settings, s->redis);
    struct event events[BATCH];
    const struct event *list[BATCH];
    enum append_outcome outcomes[BATCH];
    struct error err;

    for (int64_t n = 0; n < b->events; n += BATCH) {
        arena_reset(s->arena);
        for (int64_t i = 0; i < BATCH; i++) {
            load_event(&events[i], n + i, b->events, s->arena);
            list[i] = &events[i];
        }
        if (!append_events(append, list, BATCH, outcomes, &err))
            die("append", err.text);
    }
    append_free(append);
}

static bool all_done(struct scene *s)
{
    struct queue_state state;
    struct error err;

    arena_reset(s->arena);
    if (!stream_state(s->redis, "q", s->arena, &state, &err))
        die("stream state", err.text);
    return state.group_count == 1 && state.groups[0].waiting == 0 && state.groups[0].pending == 0;
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
    fill_stream(b, s);
    run_links(b, s, read_plainly, &b->read[b->way], round);
    if (!stream_forget(s->redis, "q", "plain", &err))
        die("plain read", err.text);
    start_us = clock_wall_us();
    serve = crier_serve_start(s->config_path);
    while (!all_done(s))
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    used = usage_of(server_pid(serve));
    note(f, round, b->events, clock_wall_us() - start_us, used.cpu_us);
    f->peak_kib = used.peak_kib > f->peak_kib ? used.peak_kib : f->peak_kib;
    server_stop(serve);
    server_free(serve);
    scene_close(s);
    buf_release(&ini);
}

/* ----------------------------------------------------------------------------------------------------- plain loops */

static void *post_plainly(void *context)
{
    struct link *l = context;
    struct bench *b = l->bench;
    struct http *http =
        http_new(&(struct http_options){.connect_ms = 5000, .timeout_ms = 60000, .reply_most = 1 << 22});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;

    for (size_t i = (size_t)l->number; i < b->body_count; i += LINKS)
        if (!http_send(http,
                       &(struct http_request){.method = "POST",
                                              .url = post_server_url(b->endpoint),
                                              .content_type = "application/cloudevents-batch+json",
                                              .body = b->bodies[i].data,
                                              .length = b->bodies[i].length},
                       &reply, &err))
            die("plain post", err.text);
    buf_release(&reply.body);
    http_free(http);
    l->cpu_us = thread_cpu_us();
    return NULL;
}

struct child {
    pid_t pid;
    int in, out;
};

static struct child start_child(void)
{
    int in[2], out[2];
    struct child c;

    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        die("pipe", strerror(errno));
    c = (struct child){fork(), in[1], out[0]};
    if (c.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl("/proc/self/exe", "bench_programs", "answer", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    fcntl(c.in, F_SETFL, O_NONBLOCK);
    return c;
}

static void pipe_piece(const struct child *c, const struct buf *lines, size_t answers)
{
    static _Thread_local char said[65536];
    size_t written = 0;

    while (answers > 0) {
        struct pollfd all[] = {
            {written < lines->length ? c->in : -1, POLLOUT, 0},
            {c->out,                               POLLIN,  0}
        };
        ssize_t length;

        poll(all, 2, -1);
        if (all[0].revents && (length = write(c->in, lines->data + written, lines->length - written)) > 0)
            written += (size_t)length;
        if (!all[1].revents)
            continue;
        if ((length = read(c->out, said, sizeof said)) <= 0)
            die("plain pipe", "the program ended");
        for (const char *at = said; (at = memchr(at, '\n', (size_t)(said + length - at))); at++)
            answers--;
    }
}

static void *pipe_plainly(void *context)
{
    struct link *l = context;
    struct child c = start_child();

    for (size_t i = (size_t)l->number; i < l->bench->body_count; i += LINKS)
        pipe_piece(&c, &l->bench->bodies[i], BATCH);
    close(c.in);
    close(c.out);
    waitpid(c.pid, NULL, 0);
    l->cpu_us = thread_cpu_us();
    return NULL;
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

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double *all, int count)
{
    double sorted[ROUNDS_MOST];

    memcpy(sorted, all, (size_t)count * sizeof *all);
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    return sorted[count / 2];
}

static void report(struct bench *b)
{
    printf("%-10s %12s %12s %12s %8s %8s %8s %8s %9s\n", "way", "per s", "read per s", "plain per s", "of both",
           "cpu us", "read us", "plain us", "peak MiB");
    for (int way = 0; way < WAYS; way++) {
        const struct figures *crier = &b->crier[way], *reads = &b->read[way], *plain = &b->plain[way];
        double ratios[ROUNDS_MOST];

        for (int i = 0; i < b->rounds; i++)
            ratios[i] = crier->per_second[i] * (1 / reads->per_second[i] + 1 / plain->per_second[i]);
        printf("%-10s %12.0f %12.0f %12.0f %8.2f %8.2f %8.2f %8.2f %9.1f\n", way_names[way],
               median(crier->per_second, b->rounds), median(reads->per_second, b->rounds),
               median(plain->per_second, b->rounds), median(ratios, b->rounds), median(crier->cpu_us, b->rounds),
               median(reads->cpu_us, b->rounds), median(plain->cpu_us, b->rounds), (double)crier->peak_kib / 1024);
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
    run_links(b, NULL, b->way == EXEC ? pipe_plainly : post_plainly, &b->plain[b->way], round);
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
        return answer_lines();
    if (length <= 0 || b.events < BATCH || b.rounds < 1 || b.rounds > ROUNDS_MOST)
        die("usage", "bench_programs [EVENTS [ROUNDS]]");
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
