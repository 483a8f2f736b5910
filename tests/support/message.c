#include "support/message.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_BYTES = 64 * 1024 };

static const char length_line[] = "\r\ncontent-length:";

/* A line of the head that starts so, whatever the case; NULL: none. */
static const char *head_line(const struct message *m, const char *start)
{
    const char *line = strcasestr(m->bytes.data, start);

    return line && line < m->bytes.data + m->head ? line : NULL;
}

static bool receive(int fd, struct buf *b)
{
    ssize_t length = recv(fd, buf_grow(b, READ_BYTES), READ_BYTES, 0);

    if (length > 0)
        buf_grown(b, (size_t)length);
    return length > 0;
}

bool message_read(int fd, struct message *m)
{
    const char *end, *line;
    size_t whole;

    buf_reset(&m->bytes);
    while (!(end = m->bytes.length ? strstr(m->bytes.data, "\r\n\r\n") : NULL))
        if (!receive(fd, &m->bytes))
            return false;
    m->head = (size_t)(end + 4 - m->bytes.data);
    line = head_line(m, length_line);
    whole = m->head + (line ? (size_t)strtoul(line + sizeof length_line - 1, NULL, 10) : 0);
    while (m->bytes.length < whole)
        if (!receive(fd, &m->bytes))
            return false;
    return true;
}

void message_release(struct message *m)
{
    buf_release(&m->bytes);
}

const char *message_body(const struct message *m)
{
    return m->bytes.data + m->head;
}

size_t message_body_length(const struct message *m)
{
    return m->bytes.length - m->head;
}

bool message_path_holds(const struct message *m, const char *text)
{
    const char *found = text ? strstr(m->bytes.data, text) : m->bytes.data;

    return found && found < m->bytes.data + strcspn(m->bytes.data, "\r");
}

bool message_is_packed(const struct message *m)
{
    return head_line(m, "\r\ncontent-encoding:") != NULL;
}

void message_add_changed(struct buf *out, const struct message *m, const struct buf *body)
{
    const char *line = head_line(m, length_line), *end = m->bytes.data + m->head - 2;
    const char *rest = line ? strstr(line + 2, "\r\n") : end;

    buf_add(out, m->bytes.data, (size_t)((line ? line : end - 2) - m->bytes.data));
    buf_printf(out, "\r\nContent-Length: %zu", body->length);
    buf_add(out, rest, (size_t)(m->bytes.data + m->head - rest));
    buf_add(out, body->data, body->length);
}

void message_add_reply(struct buf *out, int status, int retry_after_s, const char *body, size_t length)
{
    buf_printf(out, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n", status, length);
    if (retry_after_s > 0)
        buf_printf(out, "Retry-After: %d\r\n", retry_after_s);
    buf_add_text(out, "\r\n");
    buf_add(out, body, length);
}

bool socket_send(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

int socket_loopback(struct sockaddr_in *address, int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

void socket_reset(int fd)
{
    struct linger now = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}
