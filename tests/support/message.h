/* tests/support/message.h - whole HTTP/1.1 messages over sockets of 127.0.0.1, for servers that tests make themselves.
 */
#ifndef TESTS_SUPPORT_MESSAGE_H
#define TESTS_SUPPORT_MESSAGE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct message {
    struct buf bytes;
    size_t head; /* its length, with the empty line */
};

#define MESSAGE_INIT                                                                                                   \
    {                                                                                                                  \
        BUF_INIT, 0                                                                                                    \
    }

/* The next message, its body as long as its head says. False: the peer is gone. */
bool message_read(int fd, struct message *m);
void message_release(struct message *m);

const char *message_body(const struct message *m);
size_t message_body_length(const struct message *m);
bool message_path_holds(const struct message *m, const char *text); /* NULL: every path does */
bool message_is_packed(const struct message *m);                    /* gzip and the like */

/* The same message with another body. */
void message_add_changed(struct buf *out, const struct message *m, const struct buf *body);
void message_add_reply(struct buf *out, int status, int retry_after_s, const char *body, size_t length);

/* All bytes, or false. */
bool socket_send(int fd, const char *bytes, size_t length);
int socket_loopback(struct sockaddr_in *address, int port);
void socket_reset(int fd); /* closed, it sends a reset */

#endif
