#include "notifier/door.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "notifier/door_desk.h"
#include "notifier/door_head.h"
#include "notifier/door_listen.h"
#include "notifier/door_request.h"
#include "notifier/door_tls.h"
#include "notifier/door_watch.h"

enum {
    /* libmicrohttpd's memory for one connection: headers, and a piece of body. After the first answer it has touched
     * all of it; with what else there is, one costs less than 64 KiB (tests/bench/connections.sh). */
    CONNECTION_BYTES_MOST = 40 * 1024,
    DRAIN_MS = 5000, /* how long the closing door waits for a slow sender */
};

struct door {
    struct desk desk;
    struct door_tls *tls; /* NULL: none */
    struct door_watch *watch;
    struct MHD_Daemon *daemon;
    int socket, port;
};

static bool start_daemon(struct door *d, const struct http_settings *http, struct error *err)
{
    unsigned threads = (unsigned)http->threads, connections = (unsigned)http->connections;
    unsigned per_address = connections - connections / 4; /* one sender alone cannot shut the others out */

    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | (d->tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)door_tls_retrieve  },
        {MHD_OPTION_HTTPS_PRIORITIES,     0, (void *)(uintptr_t)DOOR_TLS_PRIORITIES},
        {MHD_OPTION_END,                  0, NULL                                  },
    };
    struct MHD_OptionItem none[] = {
        {MHD_OPTION_END, 0, NULL}
    };

    d->daemon = MHD_start_daemon(flags, 0, NULL, NULL, request_handle, &d->desk, MHD_OPTION_LISTEN_SOCKET, d->socket,
                                 MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? threads : 0u, MHD_OPTION_CONNECTION_LIMIT,
                                 connections > threads ? connections : threads, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                 per_address, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((http->idle_ms + 999) / 1000),
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MOST,
                                 MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, head_unescape, NULL,
                                 MHD_OPTION_NOTIFY_COMPLETED, request_completed, &d->desk, MHD_OPTION_NOTIFY_CONNECTION,
                                 door_watch_notify, d->watch, MHD_OPTION_ARRAY, d->tls ? tls : none, MHD_OPTION_END);
    return d->daemon || error_set(err, ERROR_CONFIG, "%s: the HTTP server does not start", http->listen);
}

struct door *door_open(const struct settings *settings, const struct door_page *pages, struct error *err)
{
    return door_open_fed(settings, pages, NULL, err);
}

struct door *door_open_fed(const struct settings *settings, const struct door_page *pages, struct operation_feed *feed,
                           struct error *err)
{
    struct door *d = xcalloc(1, sizeof *d);

    d->socket = -1;
    if (!desk_init(&d->desk, settings, pages, err))
        goto failed;
    d->desk.feed = feed;
    if (settings->http.certificate[0] && !(d->tls = door_tls_open(&settings->http, err))) {
        error_in(err, "[http] certificate");
        goto failed;
    }
    d->watch = door_watch_start(&settings->http, d->tls);
    d->socket = listen_open(settings->http.listen, &d->port, err);
    if (d->socket >= 0 && start_daemon(d, &settings->http, err))
        return d;
    error_in(err, "[http] listen");
failed:
    door_close(d);
    return NULL;
}

int door_port(const struct door *d)
{
    return d->port;
}

void door_add_trouble(struct door *d, struct buf *out)
{
    if (d->tls)
        door_tls_add_trouble(d->tls, out);
}

void door_close(struct door *d)
{
    if (!d)
        return;
    if (d->daemon) {
        MHD_quiesce_daemon(d->daemon);
        desk_clear(&d->desk, DRAIN_MS);
        MHD_stop_daemon(d->daemon);
    }
    door_watch_stop(d->watch);
    door_watch_free(d->watch);
    door_tls_close(d->tls);
    if (d->socket >= 0)
        close(d->socket);
    desk_release(&d->desk);
    free(d);
}
