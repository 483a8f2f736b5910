/* tests/support/door_raw.h - bytes of a test's choosing to the door of a door_client, and what comes back. */
#ifndef TESTS_SUPPORT_DOOR_RAW_H
#define TESTS_SUPPORT_DOOR_RAW_H

#include <stdbool.h>

#include "support/door_client.h"

/* How a request that brings events begins; its other headers follow. */
#define RAW_POST "POST /events HTTP/1.1\r\nHost: localhost\r\n" JSON "\r\n"

int door_raw_connect(const struct door_client *c); /* a connected socket, yours to close */
void door_raw_send(int to, const char *text);

/* What came up to a text, or to the end, or before five seconds of silence; valid until the next call. */
const char *door_raw_receive(int from, const char *until, bool *closed);

#endif
