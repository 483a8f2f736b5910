/*
 * notifier/door_peer.h - who is at the other end of a connection of the door.
 */
#ifndef NOTIFIER_DOOR_PEER_H
#define NOTIFIER_DOOR_PEER_H

#include <microhttpd.h>
#include <stdbool.h>

/* An address of this machine alone, also as IPv6 writes one of IPv4. */
bool peer_is_loopback(struct MHD_Connection *c);

#endif
