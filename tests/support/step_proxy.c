#include "support/step_proxy.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "support/message.h"
#include "support/server.h"

enum { LINKS_MOST = 64, MESSAGE_BYTES = 1 << 16, SHOWN_BYTES = 60 };

/* Both ends of one; -1: the place is free. */
struct link {
    int client, server;
    bool counts; /* its last request had one of the words */
};

struct step_proxy {
    int listener, port, to_port;
    int wake[2]; /* closed, it ends the thread */
    pthread_t thread;
    struct link links[LINKS_MOST]; /* the thread's own, as the next */
    char bytes[MESSAGE_BYTES];
    pthread_mutex_t mutex; /* over all that follows */
    int64_t left;          /* messages until the one that is chosen; 0: none is */
    const char *const *words;
    int victim;
    bool struck;
    char message[SHOWN_BYTES + 40];
};

/* ---------------------------------------------------------------------------------------------- the chosen message */

static bool has_word(const char *const words[], const char *bytes, size_t length)
{
    if (!words)
        return true;
    for (; *words; words++)
        if (memmem(bytes, length, *words, strlen(*words)))
            return true;
    return false;
}

static void describe(struct step_proxy *p, const char *bytes, size_t length, bool request)
{
    size_t at =
        (size_t)snprintf(p->message, sizeof p->message, "%s of %zu bytes: ", request ? "request" : "reply", length);

    for (size_t i = 0; i < length && i < SHOWN_BYTES && at + 1 < sizeof p->message; i++)
        p->message[at++] = isprint((unsigned char)bytes[i]) ? bytes[i] : '.';
    p->message[at] = '\0';
}

/* Whether this is the one; then the victim is dead before anything else moves. */
static bool strikes(struct step_proxy *p, struct link *l, const char *bytes, size_t length, bool request)
{
    bool now = false;

    pthread_mutex_lock(&p->mutex);
    if (request)
        l->counts = has_word(p->words, bytes, length);
    if (p->left > 0 && l->counts && --p->left == 0) {
        kill(p->victim, SIGKILL);
        describe(p, bytes, length, request);
        p->struck = now = true;
    }
    pthread_mutex_unlock(&p->mutex);
    return now;
}

/* ------------------------------------------------------------------------------------------------------ the thread */

static void close_link(struct link *l)
{
    if (l->client >= 0)
        close(l->client);
    if (l->server >= 0)
        close(l->server);
    *l = (struct link){-1, -1, false};
}

static void open_link(struct step_proxy *p)
{
    int client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    struct sockaddr_in address;

    for (struct link *l = p->links; client >= 0 && l < p->links + LINKS_MOST; l++) {
        if (l->client >= 0)
            continue;
        *l = (struct link){client, socket_loopback(&address, p->to_port), false};
        if (connect(l->server, (struct sockaddr *)&address, sizeof address) != 0)
            close_link(l);
        return;
    }
    if (client >= 0)
        close(client);
}

/* One message from one end to the other; the link ends with whoever ends it. */
static void pass_on(struct step_proxy *p, struct link *l, bool request)
{
    char *bytes = p->bytes;
    ssize_t length = recv(request ? l->client : l->server, bytes, MESSAGE_BYTES, 0);

    if (length <= 0 || strikes(p, l, bytes, (size_t)length, request) ||
        !socket_send(request ? l->server : l->client, bytes, (size_t)length))
        close_link(l);
}

static void *proxy_run(void *user)
{
    struct step_proxy *p = user;
    struct pollfd fds[2 + 2 * LINKS_MOST];

    for (;;) {
        fds[0] = (struct pollfd){.fd = p->wake[0], .events = POLLIN};
        fds[1] = (struct pollfd){.fd = p->listener, .events = POLLIN};
        for (int i = 0; i < LINKS_MOST; i++) {
            fds[2 + 2 * i] = (struct pollfd){.fd = p->links[i].client, .events = POLLIN};
            fds[3 + 2 * i] = (struct pollfd){.fd = p->links[i].server, .events = POLLIN};
        }
        if (poll(fds, 2 + 2 * LINKS_MOST, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[0].revents)
            return NULL;
        for (int i = 0; i < LINKS_MOST; i++) {
            if (fds[2 + 2 * i].revents && p->links[i].client >= 0)
                pass_on(p, &p->links[i], true);
            if (fds[3 + 2 * i].revents && p->links[i].server >= 0)
                pass_on(p, &p->links[i], false);
        }
        if (fds[1].revents)
            open_link(p);
    }
}

struct step_proxy *step_proxy_start(int to_port)
{
    struct step_proxy *p = xcalloc(1, sizeof *p);
    struct sockaddr_in address;

    for (int i = 0; i < LINKS_MOST; i++)
        p->links[i] = (struct link){-1, -1, false};
    pthread_mutex_init(&p->mutex, NULL);
    p->to_port = to_port;
    p->port = port_find();
    p->listener = socket_loopback(&address, p->port);
    if (bind(p->listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(p->listener, LINKS_MOST) != 0 ||
        pipe2(p->wake, O_CLOEXEC) != 0 || pthread_create(&p->thread, NULL, proxy_run, p) != 0)
        fail_msg("no proxy on port %d", p->port);
    return p;
}

void step_proxy_free(struct step_proxy *p)
{
    if (!p)
        return;
    close(p->wake[1]);
    pthread_join(p->thread, NULL);
    for (int i = 0; i < LINKS_MOST; i++)
        close_link(&p->links[i]);
    close(p->wake[0]);
    close(p->listener);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

int step_proxy_port(const struct step_proxy *p)
{
    return p->port;
}

void step_proxy_arm(struct step_proxy *p, int64_t number, const char *const words[], int victim)
{
    pthread_mutex_lock(&p->mutex);
    p->left = number;
    p->words = words;
    p->victim = victim;
    p->struck = false;
    pthread_mutex_unlock(&p->mutex);
}

bool step_proxy_disarm(struct step_proxy *p)
{
    bool struck;

    pthread_mutex_lock(&p->mutex);
    p->left = 0;
    struck = p->struck;
    p->struck = false;
    pthread_mutex_unlock(&p->mutex);
    return struck;
}

bool step_proxy_struck(struct step_proxy *p)
{
    bool struck;

    pthread_mutex_lock(&p->mutex);
    struck = p->struck;
    pthread_mutex_unlock(&p->mutex);
    return struck;
}

const char *step_proxy_message(struct step_proxy *p)
{
    return p->message; /* written before struck is set, and not again before the next arming */
}
