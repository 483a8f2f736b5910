#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "support/process.h"

/* Asked on a bare socket, as a server with a password answers too. Loading its file it is not ready yet. */
static bool answers_ping(const struct server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    struct timeval limit = {.tv_sec = 2};
    char said[64] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 &&
        recv(fd, said, sizeof said - 1, 0) < 0)
        said[0] = '\0';
    close(fd);
    return said[0] && strncmp(said, "-LOADING", 8) != 0;
}

struct server *redis_server_start(const char *const extra[])
{
    static const char *const safe[] = {"--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy",
                                       "noeviction",   NULL};
    struct server *s = server_new("redis-server", answers_ping);

    server_argument(s, "redis-server");
    server_argument(s, "--port");
    server_argument(s, "%d", s->port);
    server_argument(s, "--bind");
    server_argument(s, "127.0.0.1");
    server_argument(s, "--dir");
    server_argument(s, "%s", s->folder);
    for (const char *const *more = extra ? extra : safe; *more; more++)
        server_argument(s, "%s", *more);
    snprintf(s->url, sizeof s->url, "redis://127.0.0.1:%d/0", s->port);
    server_begin(s);
    return s;
}

const char *redis_server_url(const struct server *s)
{
    return s->url;
}
