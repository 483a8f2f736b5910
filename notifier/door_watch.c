#include "notifier/door_watch.h"

#include <linux/sockios.h>
#include <linux/tcp.h> /* the C library's has no tcpi_bytes_acked */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/stop.h"

enum { LOOK_EVERY_MS = 250, GRACE_MS = 5000 };

/* What a connection waits for. */
enum stage { STAGE_HEADERS, STAGE_NEXT, STAGE_BODY, STAGE_ANSWER };

struct watched {
    struct door_watch *watch;
    struct watched *before, *after;
    int socket;
    enum stage stage;
    int64_t since_ms, bytes; /* of the stage */
    int64_t untaken_ms;      /* since when not all of what was sent to it is taken; 0: all is */
    int64_t taken_bytes;     /* until then */
    int64_t owed_bytes;      /* untaken then */
};

struct door_watch {
    const struct http_settings *http;
    struct door_tls *tls;
    struct stop *stop;
    pthread_t thread;
    pthread_mutex_t mutex; /* over the connections */
    struct watched *first;
    struct counter *ended;
};

/* ------------------------------------------------------------------------------------------------- how far it is */

struct watched *watched_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void go_to(struct watched *c, enum stage stage)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->watch->mutex);
    c->stage = stage;
    c->since_ms = clock_monotonic_ms();
    c->bytes = 0;
    pthread_mutex_unlock(&c->watch->mutex);
}

void watched_headers(struct watched *c)
{
    go_to(c, STAGE_BODY);
}

void watched_whole(struct watched *c)
{
    go_to(c, STAGE_ANSWER);
}

void watched_answered(struct watched *c)
{
    go_to(c, STAGE_NEXT);
}

void watched_body(struct watched *c, int64_t bytes)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->watch->mutex);
    c->bytes += bytes;
    pthread_mutex_unlock(&c->watch->mutex);
}

/* ---------------------------------------------------------------------------------------------------- connections */

static void arrive(struct door_watch *w, struct watched *c)
{
    pthread_mutex_lock(&w->mutex);
    c->after = w->first;
    if (c->after)
        c->after->before = c;
    w->first = c;
    pthread_mutex_unlock(&w->mutex);
}

static void leave(struct door_watch *w, struct watched *c)
{
    pthread_mutex_lock(&w->mutex);
    if (c->before)
        c->before->after = c->after;
    else
        w->first = c->after;
    if (c->after)
        c->after->before = c->before;
    pthread_mutex_unlock(&w->mutex);
    free(c);
}

void door_watch_notify(void *watch, struct MHD_Connection *c, void **mine, enum MHD_ConnectionNotificationCode what)
{
    struct door_watch *w = watch;
    const union MHD_ConnectionInfo *info;
    struct watched *made;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*mine)
            leave(w, *mine);
        *mine = NULL;
        return;
    }
    info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    made = xcalloc(1, sizeof *made);
    made->watch = w;
    made->socket = info ? info->connect_fd : -1;
    made->since_ms = clock_monotonic_ms();
    *mine = made;
    arrive(w, made);
    if (w->tls)
        door_tls_greet(w->tls, c);
}

/* ------------------------------------------------------------------------------------------------------ the watch */

static bool is_too_slow(const struct http_settings *http, const struct watched *c, int64_t now_ms)
{
    int64_t passed_ms = now_ms - c->since_ms;

    switch (c->stage) {
    case STAGE_HEADERS:
        return passed_ms > http->headers_ms;
    case STAGE_NEXT: /* when the next request began is not told: it may have waited first, as long as it may be idle */
        return passed_ms > http->idle_ms + http->headers_ms;
    case STAGE_BODY:
        return passed_ms > GRACE_MS && c->bytes < (passed_ms - GRACE_MS) * http->rate_bytes / 1000;
    case STAGE_ANSWER:
        break;
    }
    return false;
}

static bool is_writable(int socket)
{
    struct pollfd p = {.fd = socket, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

/*
 * Not all that was sent to it arrived, and of that too little in a time. What its own kernel takes in counts, so that
 * the first bytes say nothing; and each time by itself, as a fast beginning would earn hours of slowness. Asked of the
 * kernel, as libmicrohttpd tells nothing of what it writes; over several answers, as one after the other would begin
 * the time anew. Who took all that it was behind by, and keeps nothing from being written, has only newer bytes on
 * their way: it keeps up with a stream that says little.
 */
static bool reads_too_slowly(const struct http_settings *http, struct watched *c, int64_t now_ms)
{
    int64_t time_ms = http->idle_ms > GRACE_MS ? http->idle_ms : GRACE_MS, taken;
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    int untaken = 0;

    if (c->stage != STAGE_ANSWER && c->stage != STAGE_NEXT)
        return false;
    if (ioctl(c->socket, SIOCOUTQ, &untaken) != 0 || untaken == 0 ||
        getsockopt(c->socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        c->untaken_ms = 0;
        return false;
    }
    if (c->untaken_ms != 0 && now_ms - c->untaken_ms < time_ms)
        return false;
    taken = (int64_t)info.tcpi_bytes_acked - c->taken_bytes;
    if (c->untaken_ms != 0 && taken < http->rate_bytes * time_ms / 1000 &&
        (taken < c->owed_bytes || !is_writable(c->socket)))
        return true;
    c->untaken_ms = now_ms;
    c->taken_bytes = (int64_t)info.tcpi_bytes_acked;
    c->owed_bytes = untaken;
    return false;
}

/* Bytes that are there and not yet read: then it is the door that is behind, as when Redis keeps it waiting. */
static bool is_unread(int socket)
{
    int bytes = 0;

    return ioctl(socket, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* The socket stays libmicrohttpd's, which reads its end and closes it: no other can have its number meanwhile. */
static void end_slow(struct door_watch *w)
{
    int64_t now_ms = clock_monotonic_ms();

    pthread_mutex_lock(&w->mutex);
    for (struct watched *c = w->first; c; c = c->after)
        if (c->socket >= 0 &&
            ((is_too_slow(w->http, c, now_ms) && !is_unread(c->socket)) || reads_too_slowly(w->http, c, now_ms))) {
            shutdown(c->socket, SHUT_RDWR);
            c->socket = -1;
            counter_add(w->ended, 1);
        }
    pthread_mutex_unlock(&w->mutex);
}

static void *watch_main(void *context)
{
    struct door_watch *w = context;

    while (!stop_sleep(w->stop, LOOK_EVERY_MS)) {
        end_slow(w);
        if (w->tls)
            door_tls_look(w->tls);
    }
    return NULL;
}

struct door_watch *door_watch_start(const struct http_settings *http, struct door_tls *tls)
{
    struct door_watch *w = xcalloc(1, sizeof *w);

    w->http = http;
    w->tls = tls;
    w->stop = stop_new();
    w->ended = counter_get(COUNTER_TOTAL, "crier_door_slow_total",
                           "connections ended, as their other end sent or read too slowly", NULL);
    pthread_mutex_init(&w->mutex, NULL);
    if (pthread_create(&w->thread, NULL, watch_main, w) != 0)
        abort(); /* no memory */
    return w;
}

void door_watch_stop(struct door_watch *w)
{
    if (!w)
        return;
    stop_raise(w->stop);
    pthread_join(w->thread, NULL);
}

void door_watch_free(struct door_watch *w)
{
    if (!w)
        return;
    stop_free(w->stop);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}
