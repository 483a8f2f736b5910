#include "bench/plain_loops.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http.h"
#include "bench/load.h"
#include "bench/measure.h"
#include "notifier/stream.h"

enum { BATCH = LOAD_TOGETHER, LINKS = 2 };

struct plain_work {
    const struct settings *settings;
    const char *url;
    const struct buf *bodies;
    size_t body_count;
};

struct link {
    const struct plain_work *work;
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
    struct redis *r = settings_redis(l->work->settings);
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
            measure_failed("plain read", err.text);
        for (size_t i = 0; i < in.count; i++)
            ids[i] = in.items[i].id;
        if (in.count > 0 && !stream_ack(stream, ids, in.count, &err))
            measure_failed("plain read", err.text);
    } while (in.count > 0);
    stream_free(stream);
    arena_free(arena);
    redis_free(r);
    l->cpu_us = thread_cpu_us();
    return NULL;
}

static void *post_plainly(void *context)
{
    struct link *l = context;
    const struct plain_work *w = l->work;
    struct http *http =
        http_new(&(struct http_options){.connect_ms = 5000, .timeout_ms = 60000, .reply_most = 1 << 22});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;

    for (size_t i = (size_t)l->number; i < w->body_count; i += LINKS)
        if (!http_send(http,
                       &(struct http_request){.method = "POST",
                                              .url = w->url,
                                              .content_type = "application/cloudevents-batch+json",
                                              .body = w->bodies[i].data,
                                              .length = w->bodies[i].length},
                       &reply, &err))
            measure_failed("plain post", err.text);
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
        measure_failed("pipe", strerror(errno));
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
            measure_failed("plain pipe", "the program ended");
        for (const char *at = said; (at = memchr(at, '\n', (size_t)(said + length - at))); at++)
            answers--;
    }
}

static void *pipe_plainly(void *context)
{
    struct link *l = context;
    struct child c = start_child();

    for (size_t i = (size_t)l->number; i < l->work->body_count; i += LINKS)
        pipe_piece(&c, &l->work->bodies[i], BATCH);
    close(c.in);
    close(c.out);
    waitpid(c.pid, NULL, 0);
    l->cpu_us = thread_cpu_us();
    return NULL;
}

static struct plain_cost run_links(void *(*loop)(void *), const struct plain_work *w)
{
    struct plain_cost cost = {0};
    struct link links[LINKS];
    int64_t start_us = clock_wall_us();

    for (int i = 0; i < LINKS; i++) {
        links[i] = (struct link){.work = w, .number = i};
        pthread_create(&links[i].thread, NULL, loop, &links[i]);
    }
    for (int i = 0; i < LINKS; i++) {
        pthread_join(links[i].thread, NULL);
        cost.cpu_us += links[i].cpu_us;
    }
    cost.took_us = clock_wall_us() - start_us;
    return cost;
}

struct plain_cost plain_read(const struct settings *s)
{
    return run_links(read_plainly, &(struct plain_work){.settings = s});
}

struct plain_cost plain_post(const char *url, const struct buf *bodies, size_t count)
{
    return run_links(post_plainly, &(struct plain_work){.url = url, .bodies = bodies, .body_count = count});
}

struct plain_cost plain_pipe(const struct buf *lines, size_t count)
{
    return run_links(pipe_plainly, &(struct plain_work){.bodies = lines, .body_count = count});
}
