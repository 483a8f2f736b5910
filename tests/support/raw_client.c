#include "support/raw_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cmocka.h>

#include "support/message.h"

enum { OTHER_FILES = 100 }; /* of the test's own */

int raw_connect(const struct server *serve, const char *from, int wait_s)
{
    struct sockaddr_in to, own = {.sin_family = AF_INET};
    int fd = socket_loopback(&to, server_port(serve));
    struct timeval wait = {wait_s, 0};

    if (from) {
        assert_int_equal(inet_pton(AF_INET, from, &own.sin_addr), 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof own), 0);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static bool holds_whole_reply(const char *reply)
{
    const char *body = strstr(reply, "\r\n\r\n"), *length = strstr(reply, "Content-Length: ");

    return body && (!length || strlen(body + 4) >= (size_t)atol(length + strlen("Content-Length: ")));
}

int raw_reply(int fd, char text[RAW_REPLY_BYTES])
{
    size_t length = 0;
    int status = RAW_CUT_OFF;

    text[0] = '\0';
    while (length + 1 < RAW_REPLY_BYTES && !holds_whole_reply(text)) {
        ssize_t got = recv(fd, text + length, RAW_REPLY_BYTES - 1 - length, 0);

        if (got < 0 && errno == EAGAIN)
            fail_msg("no answer came in time");
        if (got <= 0)
            break;
        length += (size_t)got;
        text[length] = '\0';
    }
    sscanf(text, "HTTP/1.1 %d", &status);
    return status;
}

int raw_connections_allow(int wanted)
{
    rlim_t needed = (rlim_t)wanted + OTHER_FILES;
    struct rlimit files;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur < needed) {
        files.rlim_cur = files.rlim_max < needed ? files.rlim_max : needed;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return files.rlim_cur < needed ? (int)files.rlim_cur - OTHER_FILES : wanted;
}
