#include "notifier/door_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * SEND_BYTES is what the kernel keeps of an answer for a reader that does not take it, twice: left to itself, it keeps
 * megabytes for each, and what the reader takes of them is no progress to libmicrohttpd, which ends silent connections.
 */
enum { HOST_BYTES = 256, BACKLOG = 511, SEND_BYTES = 128 * 1024 };

/* The host without the brackets that are needed where it holds colons, and the port. */
static bool split(const char *address, char host[HOST_BYTES], const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t length = colon ? (size_t)(colon - address) : 0;

    if (length > 2 && address[0] == '[' && address[length - 1] == ']') {
        address++;
        length -= 2;
    }
    if (length == 0 || length >= HOST_BYTES || !colon[1])
        return false;
    memcpy(host, address, length);
    host[length] = '\0';
    *port = colon + 1;
    return true;
}

static int bound_port(int socket)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound = {0};
    socklen_t size = sizeof bound;

    if (getsockname(socket, &bound.any, &size) != 0)
        return 0;
    return ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
}

static int bind_first(const struct addrinfo *a)
{
    int made = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, send = SEND_BYTES, why;

    if (made < 0)
        return -1;
    if (setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        setsockopt(made, SOL_SOCKET, SO_SNDBUF, &send, sizeof send) == 0 &&
        bind(made, a->ai_addr, a->ai_addrlen) == 0 && listen(made, BACKLOG) == 0)
        return made;
    why = errno;
    close(made);
    errno = why;
    return -1;
}

int listen_open(const char *address, int *port, struct error *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
    char host[HOST_BYTES];
    const char *port_text = "";
    int status, made = -1;

    if (!split(address, host, &port_text)) {
        error_set(err, ERROR_CONFIG, "\"%s\" is no address: write host:port, such as 127.0.0.1:8960 or [::1]:8960",
                  address);
        return -1;
    }
    status = getaddrinfo(host, port_text, &hints, &found);
    if (status != 0)
        error_set(err, ERROR_CONFIG, "%s: %s", address, gai_strerror(status));
    else if ((made = bind_first(found)) < 0)
        error_set(err, ERROR_CONFIG, "%s: %s", address, strerror(errno));
    else
        *port = bound_port(made);
    if (found)
        freeaddrinfo(found);
    return made;
}
