#include "bench/hook_crowd.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bench/measure.h"

enum { READY_MOST = 64, FILES_MOST = 65536, LOOK_MS = 100, ID_BYTES = 40 };

static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";

struct arrival {
    char id[ID_BYTES];
    int64_t late_us; /* of the first */
    uint32_t count;
};

struct talk {
    size_t target;
    bool listens;
    struct buf in;
};

struct hook_crowd {
    int poll, port;
    size_t targets, events;
    struct talk *talks[FILES_MOST]; /* by their file */
    pthread_t thread;
    pthread_mutex_t mutex;
    struct arrival *arrivals; /* under the mutex, as the rest; by event, then target */
    size_t came, other_ids;
    atomic_bool stop;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(struct hook_crowd *c, int file, size_t target, bool listens)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = file};
    struct talk *t = xcalloc(1, sizeof *t);

    if (file >= FILES_MOST || epoll_ctl(c->poll, EPOLL_CTL_ADD, file, &event) != 0)
        die("hook_crowd: epoll_ctl");
    t->target = target;
    t->listens = listens;
    buf_init(&t->in);
    c->talks[file] = t;
}

static void end_talk(struct hook_crowd *c, int file)
{
    buf_release(&c->talks[file]->in);
    free(c->talks[file]);
    c->talks[file] = NULL;
    close(file);
}

static void note(struct hook_crowd *c, size_t target, const char *head, const char *body)
{
    const char *id = strstr(head, "webhook-id: "), *number = strstr(body, "\"number\":"),
               *made = strstr(body, "\"made_us\":");
    size_t event = number ? strtoul(number + 9, NULL, 10) : c->events;
    struct arrival *a;
    char id_text[ID_BYTES];

    if (!id || !made || event >= c->events)
        return;
    snprintf(id_text, sizeof id_text, "%.*s", (int)strcspn(id + 12, "\r"), id + 12);
    pthread_mutex_lock(&c->mutex);
    a = &c->arrivals[event * c->targets + target];
    c->came++;
    if (a->count++ == 0) {
        memcpy(a->id, id_text, sizeof a->id);
        a->late_us = clock_wall_us() - strtoll(made + 10, NULL, 10);
    } else if (strcmp(a->id, id_text) != 0) {
        c->other_ids++;
    }
    pthread_mutex_unlock(&c->mutex);
}

/* Whether a whole request is there, which is answered and taken out. */
static bool answer_one(struct hook_crowd *c, int file, struct talk *t)
{
    char *end = strstr(t->in.data, "\r\n\r\n"), *length, *body;
    size_t whole;

    if (!end)
        return false;
    length = strstr(t->in.data, "Content-Length: ");
    body = end + 4;
    whole = (size_t)(body - t->in.data) + (length && length < end ? strtoul(length + 16, NULL, 10) : 0);
    if (t->in.length < whole)
        return false;
    note(c, t->target, t->in.data, body);
    if (send(file, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
        return false;
    memmove(t->in.data, t->in.data + whole, t->in.length - whole + 1);
    t->in.length -= whole;
    return true;
}

static void move_on(struct hook_crowd *c, int file)
{
    struct talk *t = c->talks[file];
    ssize_t got;

    if (!t) /* closed, and still open in a child of ours that has not become its program yet */
        return;
    if (t->listens) {
        int one = accept4(file, NULL, NULL, SOCK_CLOEXEC);

        if (one >= 0)
            watch(c, one, t->target, false);
        return;
    }
    got = recv(file, buf_grow(&t->in, 8192), 8192, 0);
    if (got <= 0) {
        end_talk(c, file);
        return;
    }
    buf_grown(&t->in, (size_t)got);
    while (answer_one(c, file, t))
        continue;
}

static void *crowd_main(void *context)
{
    struct hook_crowd *c = context;
    struct epoll_event ready[READY_MOST];

    while (!c->stop) {
        int count = epoll_wait(c->poll, ready, READY_MOST, LOOK_MS);

        for (int i = 0; i < count; i++)
            move_on(c, ready[i].data.fd);
    }
    return NULL;
}

static int listen_at(size_t target, int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t size = sizeof at;
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(0x7f000101U + (uint32_t)target);
    if (file < 0 || bind(file, (struct sockaddr *)&at, sizeof at) != 0 || listen(file, 512) != 0 ||
        getsockname(file, (struct sockaddr *)&at, &size) != 0)
        die("hook_crowd: listen");
    *port = ntohs(at.sin_port);
    return file;
}

struct hook_crowd *hook_crowd_start(size_t targets, size_t events_most)
{
    struct hook_crowd *c = xcalloc(1, sizeof *c);

    c->targets = targets;
    c->events = events_most;
    c->arrivals = xcalloc(targets * events_most, sizeof *c->arrivals);
    c->poll = epoll_create1(EPOLL_CLOEXEC);
    pthread_mutex_init(&c->mutex, NULL);
    for (size_t i = 0; i < targets; i++)
        watch(c, listen_at(i, &c->port), i, true);
    if (pthread_create(&c->thread, NULL, crowd_main, c) != 0)
        die("hook_crowd: thread");
    return c;
}

void hook_crowd_free(struct hook_crowd *c)
{
    c->stop = true;
    pthread_join(c->thread, NULL);
    for (int i = 0; i < FILES_MOST; i++)
        if (c->talks[i])
            end_talk(c, i);
    close(c->poll);
    pthread_mutex_destroy(&c->mutex);
    free(c->arrivals);
    free(c);
}

int hook_crowd_port(const struct hook_crowd *c)
{
    return c->port;
}

struct crowd_tally hook_crowd_tally(struct hook_crowd *c, size_t first, size_t end)
{
    double *late = xcalloc((end - first) * c->targets + 1, sizeof *late);
    struct crowd_tally t = {.came = 0};

    pthread_mutex_lock(&c->mutex);
    for (size_t i = first * c->targets; i < end * c->targets; i++) {
        t.came += c->arrivals[i].count;
        if (c->arrivals[i].count > 0)
            late[t.distinct++] = (double)c->arrivals[i].late_us / 1000;
    }
    t.other_ids = c->other_ids;
    pthread_mutex_unlock(&c->mutex);
    t.median_ms = measure_quantile(late, t.distinct, 0.5);
    t.p99_ms = measure_quantile(late, t.distinct, 0.99);
    t.most_ms = measure_quantile(late, t.distinct, 1);
    free(late);
    return t;
}
