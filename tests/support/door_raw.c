#include "support/door_raw.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

int door_raw_connect(const struct door_client *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)door_port(c->door))};
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    assert_true(made >= 0);
    assert_int_equal(connect(made, (struct sockaddr *)&to, sizeof to), 0);
    return made;
}

void door_raw_send(int to, const char *text)
{
    assert_int_equal(send(to, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

const char *door_raw_receive(int from, const char *until, bool *closed)
{
    static char bytes[8192];
    size_t length = 0;

    *closed = false;
    bytes[0] = '\0';
    while (length < sizeof bytes - 1 && !(until && strstr(bytes, until))) {
        struct pollfd ready = {.fd = from, .events = POLLIN};
        ssize_t count = poll(&ready, 1, 5000) > 0 ? recv(from, bytes + length, sizeof bytes - 1 - length, 0) : -2;

        if (count == -2)
            break;
        if (count <= 0) {
            *closed = true;
            break;
        }
        length += (size_t)count;
        bytes[length] = '\0';
    }
    return bytes;
}
