/* notifier/door_listen.h - the socket the door listens on, by an address as text. */
#ifndef NOTIFIER_DOOR_LISTEN_H
#define NOTIFIER_DOOR_LISTEN_H

#include "base/attrs.h"
#include "base/error.h"

/* host:port ("127.0.0.1:8960", "[::1]:0"). The socket and its port; -1: ERROR_CONFIG with the system's word. */
int listen_open(const char *address, int *port, struct error *err) must_check;

#endif
