/* tests/support/raw_client.h - connections to a service's door whose bytes a test chooses, as a stranger may. */
#ifndef TESTS_SUPPORT_RAW_CLIENT_H
#define TESTS_SUPPORT_RAW_CLIENT_H

#include "support/server.h"

/*
 * A connected socket; from is an address of 127.0.0.0/8, NULL: the system's choice. To send or receive waits for at
 * most wait_s.
 */
int raw_connect(const struct server *serve, const char *from, int wait_s);

enum { RAW_REPLY_BYTES = 8192, RAW_CUT_OFF = 0 };

/*
 * The status of the next reply, all of it in text; RAW_CUT_OFF: the connection ended before one. Fails the test where
 * nothing comes for wait_s.
 */
int raw_reply(int fd, char text[RAW_REPLY_BYTES]);

/* Lets this process have so many connections open; how many it may have. */
int raw_connections_allow(int wanted);

#endif
