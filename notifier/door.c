#include "notifier/door.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "notifier/door_desk.h"
#include "notifier/door_listen.h"
#include "notifier/door_request.h"

enum {
    CONNECTION_BYTES_MOST = 64 * 1024, /* libmicrohttpd's memory for one connection: headers, and a piece of body */
    DRAIN_MS = 5000,                   /* how long the closing door waits for a slow sender */
};

struct door {
    struct desk desk;
    struct MHD_Daemon *daemon;
    int socket, port;
};

static bool start_daemon(struct door *d, const struct http_settings *http, struct error *err)
{
    unsigned threads = (unsigned)http->threads, connections = (unsigned)http->connections;
    unsigned per_address = connections - connections / 4; /* one sender alone cannot shut the others out */

    d->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_handle, &d->desk,
        MHD_OPTION_LISTEN_SOCKET, d->socket, MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? threads : 0u,
        MHD_OPTION_CONNECTION_LIMIT, connections > threads ? connections : threads, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        per_address, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)((http->idle_ms + 999) / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MOST, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_COMPLETED, request_completed, &d->desk, MHD_OPTION_END);
    return d->daemon || error_set(err, ERROR_CONFIG, "%s: the HTTP server does not start", http->listen);
}

struct door *door_open(const struct settings *settings, const struct door_page *pages, struct error *err)
{
    struct door *d = xcalloc(1, sizeof *d);

    d->socket = -1;
    if (!desk_init(&d->desk, settings, pages, err))
        goto failed;
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

void door_close(struct door *d)
{
    if (!d)
        return;
    if (d->daemon) {
        MHD_quiesce_daemon(d->daemon);
        desk_clear(&d->desk, DRAIN_MS);
        MHD_stop_daemon(d->daemon);
    }
    if (d->socket >= 0)
        close(d->socket);
    desk_release(&d->desk);
    free(d);
}
