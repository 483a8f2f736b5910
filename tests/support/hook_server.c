#include "support/hook_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"

enum { REQUESTS_MOST = 20000, CONNECTIONS_MOST = 4000, AWAIT_MS = 60000, LOOK_MS = 100 };

static const char plain_answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

struct request {
    char *head, *body;
    int64_t at_us;
};

struct hook_server {
    int listener, port;
    pthread_t thread, talkers[CONNECTIONS_MOST];
    pthread_mutex_t mutex;
    enum hook_manner manner;
    char *answer;
    struct request requests[REQUESTS_MOST];
    size_t count, connections;
    bool stop;
};

struct talk {
    struct hook_server *server;
    int socket;
};

static bool stopped(struct hook_server *s)
{
    bool stop;

    pthread_mutex_lock(&s->mutex);
    stop = s->stop;
    pthread_mutex_unlock(&s->mutex);
    return stop;
}

/* ------------------------------------------------------------------------------------------------ a connection */

/* More bytes. False: the peer is gone, or the server ends. */
static bool receive(const struct talk *t, struct buf *in)
{
    struct pollfd ready = {.fd = t->socket, .events = POLLIN};
    ssize_t got;

    while (poll(&ready, 1, LOOK_MS) == 0)
        if (stopped(t->server))
            return false;
    got = recv(t->socket, buf_grow(in, 65536), 65536, 0);
    if (got > 0)
        buf_grown(in, (size_t)got);
    return got > 0;
}

static bool read_request(const struct talk *t, struct buf *in, struct request *out)
{
    const char *end, *length;
    size_t head, body;

    while (!(end = strstr(in->data, "\r\n\r\n")))
        if (!receive(t, in))
            return false;
    head = (size_t)(end - in->data) + 4;
    length = strcasestr(in->data, "\r\nContent-Length:");
    body = length && length < end ? (size_t)atol(length + strlen("\r\nContent-Length:")) : 0;
    while (in->length < head + body)
        if (!receive(t, in))
            return false;
    *out = (struct request){xstrndup(in->data, head), xstrndup(in->data + head, body), clock_wall_us()};
    memmove(in->data, in->data + head + body, in->length - head - body + 1);
    in->length -= head + body;
    return true;
}

/* Goes on until the peer has had enough. */
static void repeat(const struct talk *t, const char *start, const char *piece)
{
    bool open = send(t->socket, start, strlen(start), MSG_NOSIGNAL) > 0;

    while (open && !stopped(t->server))
        open = send(t->socket, piece, strlen(piece), MSG_NOSIGNAL) > 0;
}

static void reset(const struct talk *t)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(t->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* False: the connection is to be closed. */
static bool answer(const struct talk *t, enum hook_manner manner, const char *text)
{
    struct buf in = BUF_INIT;

    switch (manner) {
    case HOOK_ANSWER:
        return send(t->socket, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
    case HOOK_HANG:
        while (receive(t, &in))
            continue;
        buf_release(&in);
        break;
    case HOOK_RESET:
        reset(t);
        break;
    case HOOK_FLOOD:
        repeat(t, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", "all work and no play makes a dull boy\n");
        break;
    case HOOK_ENDLESS_HEAD:
        repeat(t, "HTTP/1.1 200 OK\r\n", "X-More: and more and more\r\n");
        break;
    }
    return false;
}

static void *talk_main(void *context)
{
    struct talk *t = context;
    struct hook_server *s = t->server;
    struct buf in = BUF_INIT;
    struct request request;

    while (read_request(t, &in, &request)) {
        enum hook_manner manner;
        char *text;
        bool on;

        pthread_mutex_lock(&s->mutex);
        assert_true(s->count < REQUESTS_MOST);
        s->requests[s->count++] = request;
        manner = s->manner;
        text = xstrdup(s->answer);
        pthread_mutex_unlock(&s->mutex);
        on = answer(t, manner, text);
        free(text);
        if (!on)
            break;
    }
    buf_release(&in);
    close(t->socket);
    free(t);
    return NULL;
}

static void *listen_main(void *context)
{
    struct hook_server *s = context;
    struct pollfd ready = {.fd = s->listener, .events = POLLIN};

    while (!stopped(s)) {
        struct talk *t;
        int one;

        if (poll(&ready, 1, LOOK_MS) <= 0 || (one = accept(s->listener, NULL, NULL)) < 0)
            continue;
        t = xcalloc(1, sizeof *t);
        *t = (struct talk){s, one};
        pthread_mutex_lock(&s->mutex);
        assert_true(s->connections < CONNECTIONS_MOST);
        pthread_create(&s->talkers[s->connections++], NULL, talk_main, t);
        pthread_mutex_unlock(&s->mutex);
    }
    return NULL;
}

/* --------------------------------------------------------------------------------------------------- the server */

struct hook_server *hook_server_start(const char *address)
{
    struct hook_server *s = xcalloc(1, sizeof *s);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6}, at = six;
    struct sockaddr_in four = {.sin_family = AF_INET};
    bool both = strcmp(address, "::") == 0;
    socklen_t size = sizeof at;

    pthread_mutex_init(&s->mutex, NULL);
    s->answer = xstrdup(plain_answer);
    s->listener = socket(both ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(both || inet_pton(AF_INET, address, &four.sin_addr) == 1);
    assert_int_equal(
        bind(s->listener, both ? (struct sockaddr *)&six : (struct sockaddr *)&four, both ? sizeof six : sizeof four),
        0);
    assert_int_equal(listen(s->listener, 128), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &size), 0);
    s->port = ntohs(at.sin6_port); /* where IPv4 has it, too */
    pthread_create(&s->thread, NULL, listen_main, s);
    return s;
}

void hook_server_free(struct hook_server *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->mutex);
    s->stop = true;
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    for (size_t i = 0; i < s->connections; i++)
        pthread_join(s->talkers[i], NULL);
    close(s->listener);
    for (size_t i = 0; i < s->count; i++) {
        free(s->requests[i].head);
        free(s->requests[i].body);
    }
    pthread_mutex_destroy(&s->mutex);
    free(s->answer);
    free(s);
}

int hook_server_port(const struct hook_server *s)
{
    return s->port;
}

void hook_server_behave(struct hook_server *s, enum hook_manner manner)
{
    pthread_mutex_lock(&s->mutex);
    s->manner = manner;
    pthread_mutex_unlock(&s->mutex);
}

void hook_server_answer(struct hook_server *s, const char *reply)
{
    pthread_mutex_lock(&s->mutex);
    free(s->answer);
    s->answer = xstrdup(reply ? reply : plain_answer);
    pthread_mutex_unlock(&s->mutex);
}

size_t hook_server_connections(struct hook_server *s)
{
    size_t count;

    pthread_mutex_lock(&s->mutex);
    count = s->connections;
    pthread_mutex_unlock(&s->mutex);
    return count;
}

size_t hook_server_count(struct hook_server *s)
{
    size_t count;

    pthread_mutex_lock(&s->mutex);
    count = s->count;
    pthread_mutex_unlock(&s->mutex);
    return count;
}

static struct request request_at(struct hook_server *s, size_t i)
{
    struct request r;

    pthread_mutex_lock(&s->mutex);
    assert_true(i < s->count);
    r = s->requests[i];
    pthread_mutex_unlock(&s->mutex);
    return r;
}

const char *hook_server_head(struct hook_server *s, size_t i)
{
    return request_at(s, i).head;
}

const char *hook_server_body(struct hook_server *s, size_t i)
{
    return request_at(s, i).body;
}

int64_t hook_server_at_us(struct hook_server *s, size_t i)
{
    return request_at(s, i).at_us;
}

char *hook_server_header(struct hook_server *s, size_t i, const char *name)
{
    struct buf line = BUF_INIT;
    const char *found;
    char *value;

    buf_printf(&line, "\r\n%s:", name);
    found = strcasestr(hook_server_head(s, i), line.data);
    if (found)
        found += line.length + strspn(found + line.length, " ");
    value = found ? xstrndup(found, strcspn(found, "\r\n")) : NULL;
    buf_release(&line);
    return value;
}

void hook_server_await(struct hook_server *s, size_t count)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    int64_t until_ms = clock_monotonic_ms() + AWAIT_MS;

    while (hook_server_count(s) < count) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%zu of %zu requests came", hook_server_count(s), count);
        nanosleep(&pause, NULL);
    }
}
