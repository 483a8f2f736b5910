/*
 * notifier/door_origin.h - which web pages a browser may let ask the door: those of `[http] origins` (CORS) and its
 * own.
 *
 * A page anywhere can have a browser on this machine send requests to the door, and with a name of its own that leads
 * to 127.0.0.1 (DNS rebinding) it reads the answers, too. The browser says where the page is from: in Origin, and by
 * which name it asks: in Host.
 */
#ifndef NOTIFIER_DOOR_ORIGIN_H
#define NOTIFIER_DOOR_ORIGIN_H

#include <microhttpd.h>
#include <stdbool.h>

/* Whether a browser's page of that origin (NULL: none is said) is on the list of those that may ask. */
bool origin_is_allowed(const char *list, const char *origin);

/* Whether the page is of the very host that is asked: "http://localhost:8960" and "localhost:8960". host: NULL is fine.
 */
bool origin_is_of_host(const char *origin, const char *host);

/*
 * Whether a Host header names this machine by what nobody else can have: localhost, 127.0.0.0/8, [::1], with or without
 * a port. So does none at all (NULL), as every browser sends one.
 */
bool host_is_of_this_machine(const char *host);

/* An Origin header's answer, for pages that are on the list. */
void origin_add_headers(struct MHD_Response *response, const char *list, const char *origin);

#endif
