/*
 * notifier/door_watch.h - the connections of the door, and an end to those that hold one without asking anything.
 *
 * A sender has `headers` for the headers of a request, a TLS handshake included, and must go on with its body at `rate`
 * bytes a second, after 5 s in which it need not. It must take its answers at `rate` too, in each `idle` or 5 s,
 * whatever is longer. libmicrohttpd itself only ends connections that are silent: one byte a second keeps it waiting
 * for ever. A thread of its own looks four times a second, and after the certificate too.
 */
#ifndef NOTIFIER_DOOR_WATCH_H
#define NOTIFIER_DOOR_WATCH_H

#include <microhttpd.h>
#include <stdint.h>

#include "config/settings.h"
#include "notifier/door_tls.h"

struct door_watch;
struct watched; /* a connection */

/* tls may be NULL. Both are lent. */
struct door_watch *door_watch_start(const struct http_settings *http, struct door_tls *tls);
void door_watch_stop(struct door_watch *w); /* its thread; connections may still end. NULL is fine */
void door_watch_free(struct door_watch *w); /* after the last connection. NULL is fine */

/* For MHD_OPTION_NOTIFY_CONNECTION, with the watch. */
void door_watch_notify(void *watch, struct MHD_Connection *c, void **mine, enum MHD_ConnectionNotificationCode what);

/* The connection of a request, lent as long as it is there; NULL: it is not watched. */
struct watched *watched_of(struct MHD_Connection *c);

/* How far a request is: its headers are there, a piece of body came, it is whole, it is answered. NULL is fine. */
void watched_headers(struct watched *c);
void watched_body(struct watched *c, int64_t bytes);
void watched_whole(struct watched *c);
void watched_answered(struct watched *c);

#endif
