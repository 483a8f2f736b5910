#include "support/fault_proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "support/fault_items.h"
#include "support/message.h"
#include "support/server.h"

enum { LINKS_MOST = 64 };

/* One connection of a client, served by a thread of its own. */
struct link {
    struct fault_proxy *proxy;
    pthread_t thread;
    bool used;          /* its thread is not joined yet */
    int client, server; /* -1: none */
};

struct fault_proxy {
    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t changed;
    pthread_t acceptor;
    bool up, fault_is_set;
    int listener, port, to_port;
    struct fault fault;
    long change; /* counts settings: what hangs ends with the next one */
    long items_seen;
    struct fault_counts counts;
    struct link links[LINKS_MOST];
    char url[60];
};

/* ------------------------------------------------------------------------------------------- a request's way */

static void close_server(struct link *l)
{
    int fd = l->server;

    pthread_mutex_lock(&l->proxy->mutex);
    l->server = -1;
    pthread_mutex_unlock(&l->proxy->mutex);
    if (fd >= 0)
        close(fd);
}

static bool reach_server(struct link *l)
{
    struct sockaddr_in address;
    int fd;

    if (l->server >= 0)
        return true;
    fd = socket_loopback(&address, l->proxy->to_port);
    pthread_mutex_lock(&l->proxy->mutex);
    l->server = fd;
    pthread_mutex_unlock(&l->proxy->mutex);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return true;
    close_server(l);
    return false;
}

static void count(struct fault_proxy *p, long requests, long items, long faked)
{
    pthread_mutex_lock(&p->mutex);
    p->counts.requests_forwarded += requests;
    p->counts.items_forwarded += items;
    p->counts.items_faked += faked;
    pthread_mutex_unlock(&p->mutex);
}

/* Twice, as the server may have closed a connection that was idle. */
static bool forward(struct link *l, const struct buf *request, struct message *reply)
{
    for (int tries = 0; tries < 2; tries++) {
        if (reach_server(l) && socket_send(l->server, request->data, request->length) && message_read(l->server, reply))
            return true;
        close_server(l);
    }
    return false;
}

static bool is_plain_bulk(const struct message *m)
{
    return message_path_holds(m, "/_bulk") && !message_is_packed(m);
}

/* Forwards a bulk without the items the fault is for, and answers for all. */
static bool forward_bulk(struct link *l, const struct fault *f, const struct message *m, struct buf *out)
{
    struct fault_items items;
    struct message reply = MESSAGE_INIT;
    struct buf request = BUF_INIT, body = BUF_INIT;
    bool ok = true;

    pthread_mutex_lock(&l->proxy->mutex);
    fault_items_take(&items, f, message_body(m), message_body_length(m), &l->proxy->items_seen);
    pthread_mutex_unlock(&l->proxy->mutex);
    count(l->proxy, items.kept > 0, items.kept, items.taken);
    if (items.kept > 0) {
        message_add_changed(&request, m, &items.body);
        ok = forward(l, &request, &reply);
    }
    if (ok && items.taken == 0) {
        buf_add(out, reply.bytes.data, reply.bytes.length);
    } else if (ok) {
        fault_items_merge(&items, items.kept ? message_body(&reply) : "", items.kept ? message_body_length(&reply) : 0,
                          &body);
        message_add_reply(out, 200, 0, body.data, body.length);
    }
    fault_items_release(&items);
    message_release(&reply);
    buf_release(&request);
    buf_release(&body);
    return ok;
}

static bool forward_whole(struct link *l, const struct message *m, struct buf *out)
{
    struct message reply = MESSAGE_INIT;
    bool ok;

    count(l->proxy, 1, 0, 0);
    ok = forward(l, &m->bytes, &reply);
    buf_add(out, reply.bytes.data, reply.bytes.length);
    message_release(&reply);
    return ok;
}

/* What the client gets of a reply. False: the connection ends. */
static bool give_back(struct link *l, enum fault_link fault, const struct buf *reply)
{
    const char *body = strstr(reply->data, "\r\n\r\n");
    size_t head = body ? (size_t)(body + 4 - reply->data) : 0, length = reply->length - head;
    struct buf changed = BUF_INIT, fewer = BUF_INIT;
    bool ok = true;

    if (fault == FAULT_RESET_AFTER) {
        socket_reset(l->client);
        return false;
    }
    if (fault == FAULT_CUT_REPLY) {
        socket_send(l->client, reply->data, head + length / 2);
        return false;
    }
    if (fault == FAULT_CUT_ITEM_LIST) {
        message_add_reply(&changed, 200, 0, reply->data + head, length / 2);
    } else if (fault == FAULT_ITEM_MISSING) {
        fault_items_drop_last(reply->data + head, length, &fewer);
        message_add_reply(&changed, 200, 0, fewer.data, fewer.length);
    } else {
        buf_add(&changed, reply->data, reply->length);
    }
    ok = socket_send(l->client, changed.data, changed.length);
    buf_release(&changed);
    buf_release(&fewer);
    return ok;
}

static bool refuse(struct link *l, const struct fault *f)
{
    struct buf body = BUF_INIT, reply = BUF_INIT;
    bool ok;

    if (f->body)
        buf_add_text(&body, f->body);
    else
        buf_printf(&body, "{\"error\":{\"type\":\"fault_exception\",\"reason\":\"as the test wants\"},\"status\":%d}",
                   f->status);
    message_add_reply(&reply, f->status, f->retry_after_s, body.data, body.length);
    ok = socket_send(l->client, reply.data, reply.length);
    buf_release(&body);
    buf_release(&reply);
    return ok;
}

/* The fault for this request, which uses it up; nothing where it is not meant. */
static struct fault fault_for(struct fault_proxy *p, const struct message *m, long *change)
{
    struct fault f = {0};

    pthread_mutex_lock(&p->mutex);
    p->counts.requests++;
    *change = p->change;
    if (p->fault_is_set && message_path_holds(m, p->fault.path_with) &&
        (p->fault.longer_than == 0 || message_body_length(m) > p->fault.longer_than)) {
        f = p->fault;
        if (p->fault.times > 0 && --p->fault.times == 0)
            p->fault_is_set = false;
    }
    pthread_mutex_unlock(&p->mutex);
    return f;
}

static void hang(struct fault_proxy *p, long change)
{
    pthread_mutex_lock(&p->mutex);
    p->counts.requests_hung++;
    while (p->up && p->change == change)
        pthread_cond_wait(&p->changed, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
}

/* False: the connection ends. */
static bool serve(struct link *l, const struct message *m)
{
    struct buf reply = BUF_INIT;
    long change;
    struct fault f = fault_for(l->proxy, m, &change);
    bool ok;

    if (f.link == FAULT_HANG) {
        hang(l->proxy, change);
        return false;
    }
    if (f.link == FAULT_RESET_BEFORE) {
        socket_reset(l->client);
        return false;
    }
    if (f.status)
        return refuse(l, &f);
    if (f.meanwhile)
        f.meanwhile(f.context);
    ok = is_plain_bulk(m) ? forward_bulk(l, &f, m, &reply) : forward_whole(l, m, &reply);
    ok = ok && give_back(l, f.link, &reply);
    buf_release(&reply);
    return ok;
}

/* ------------------------------------------------------------------------------------------------ its threads */

static void *link_run(void *user)
{
    struct link *l = user;
    struct message request = MESSAGE_INIT;
    int client = l->client;

    while (message_read(client, &request) && serve(l, &request))
        ;
    message_release(&request);
    close_server(l);
    pthread_mutex_lock(&l->proxy->mutex);
    l->client = -1;
    pthread_mutex_unlock(&l->proxy->mutex);
    close(client);
    return NULL;
}

/* A place whose thread is over, or none was; with the mutex held. */
static struct link *free_place(struct fault_proxy *p)
{
    for (int i = 0; i < LINKS_MOST; i++) {
        struct link *l = &p->links[i];

        if (l->client >= 0)
            continue;
        if (l->used)
            pthread_join(l->thread, NULL);
        l->used = false;
        return l;
    }
    return NULL;
}

static void *acceptor_run(void *user)
{
    struct fault_proxy *p = user;
    int fd, yes = 1;

    while ((fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct link *l;

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        pthread_mutex_lock(&p->mutex);
        l = p->up ? free_place(p) : NULL;
        if (l) {
            l->client = fd;
            l->used = pthread_create(&l->thread, NULL, link_run, l) == 0;
        } else {
            close(fd);
        }
        pthread_mutex_unlock(&p->mutex);
    }
    return NULL;
}

void fault_proxy_up(struct fault_proxy *p)
{
    struct sockaddr_in address;

    p->listener = socket_loopback(&address, p->port);
    if (bind(p->listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(p->listener, LINKS_MOST) != 0)
        fail_msg("the fault proxy finds its port %d taken", p->port);
    p->up = true;
    if (pthread_create(&p->acceptor, NULL, acceptor_run, p) != 0)
        fail_msg("no thread for the fault proxy");
}

void fault_proxy_down(struct fault_proxy *p)
{
    pthread_mutex_lock(&p->mutex);
    p->up = false;
    pthread_cond_broadcast(&p->changed);
    for (int i = 0; i < LINKS_MOST; i++) {
        if (p->links[i].client >= 0)
            shutdown(p->links[i].client, SHUT_RDWR);
        if (p->links[i].server >= 0)
            shutdown(p->links[i].server, SHUT_RDWR);
    }
    pthread_mutex_unlock(&p->mutex);
    shutdown(p->listener, SHUT_RDWR); /* wakes accept */
    pthread_join(p->acceptor, NULL);
    close(p->listener);
    for (int i = 0; i < LINKS_MOST; i++) {
        if (p->links[i].used)
            pthread_join(p->links[i].thread, NULL);
        p->links[i].used = false;
    }
}

struct fault_proxy *fault_proxy_start(int to_port)
{
    struct fault_proxy *p = xcalloc(1, sizeof *p);

    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    for (int i = 0; i < LINKS_MOST; i++)
        p->links[i] = (struct link){.proxy = p, .client = -1, .server = -1};
    p->to_port = to_port;
    p->port = port_find();
    snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d", p->port);
    fault_proxy_up(p);
    return p;
}

void fault_proxy_free(struct fault_proxy *p)
{
    if (!p)
        return;
    if (p->up)
        fault_proxy_down(p);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

/* --------------------------------------------------------------------------------------------- for the test */

const char *fault_proxy_url(const struct fault_proxy *p)
{
    return p->url;
}

void fault_proxy_set(struct fault_proxy *p, const struct fault *f)
{
    pthread_mutex_lock(&p->mutex);
    p->fault_is_set = f != NULL;
    if (f)
        p->fault = *f;
    p->change++;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

struct fault_counts fault_proxy_counts(struct fault_proxy *p)
{
    struct fault_counts counts;

    pthread_mutex_lock(&p->mutex);
    counts = p->counts;
    pthread_mutex_unlock(&p->mutex);
    return counts;
}

void fault_proxy_forget(struct fault_proxy *p)
{
    pthread_mutex_lock(&p->mutex);
    p->counts = (struct fault_counts){0};
    pthread_mutex_unlock(&p->mutex);
}
