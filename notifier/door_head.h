/*
 * notifier/door_head.h - whether the head of a request can be read in one way only.
 *
 * What another program on the way may have read differently, a proxy that let it pass, must end the connection: else
 * one of the two takes for a request what the other took for the body of the one before.
 */
#ifndef NOTIFIER_DOOR_HEAD_H
#define NOTIFIER_DOOR_HEAD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* False: reason says why not; it lives for ever. What libmicrohttpd refuses by itself does not come here. */
bool head_is_clear(struct MHD_Connection *c, const char *target, const char *version, const char **reason);

/* For MHD_OPTION_UNESCAPE_CALLBACK: as libmicrohttpd does it, but what holds a %00, where a text would end, stays. */
size_t head_unescape(void *context, struct MHD_Connection *c, char *text);

#endif
