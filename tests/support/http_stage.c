#include "support/http_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "support/server.h"

static void *listen_run(void *user)
{
    struct http_stage *f = user;
    struct message m = MESSAGE_INIT;
    int fd;

    while ((fd = accept(f->listener, NULL, NULL)) >= 0) {
        enum then then = THEN_READ_ON;

        pthread_mutex_lock(&f->mutex);
        f->connections++;
        pthread_mutex_unlock(&f->mutex);
        while (then == THEN_READ_ON && message_read(fd, &m)) {
            pthread_mutex_lock(&f->mutex);
            buf_reset(&f->request.bytes);
            buf_add(&f->request.bytes, m.bytes.data, m.bytes.length);
            f->request.head = m.head;
            then = f->then;
            socket_send(fd, f->answer, f->answer_length);
            pthread_mutex_unlock(&f->mutex);
        }
        if (then == THEN_WAIT)
            message_read(fd, &m); /* until the other side gives up */
        close(fd);
    }
    message_release(&m);
    return NULL;
}

void http_stage_answer(struct http_stage *f, const char *text, enum then then)
{
    pthread_mutex_lock(&f->mutex);
    f->answer = text;
    f->answer_length = strlen(text);
    f->then = then;
    pthread_mutex_unlock(&f->mutex);
}

int http_stage_open(void **state)
{
    struct http_stage *f = xcalloc(1, sizeof *f);
    struct sockaddr_in address;

    f->http = http_new(&(struct http_options){.connect_ms = CONNECT_MS, .timeout_ms = PATIENCE_MS});
    f->reply = (struct http_reply)HTTP_REPLY_INIT;
    f->request = (struct message)MESSAGE_INIT;
    pthread_mutex_init(&f->mutex, NULL);
    f->port = port_find();
    f->listener = socket_loopback(&address, f->port);
    if (bind(f->listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(f->listener, 8) != 0)
        return -1;
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/path?a=b", f->port);
    http_stage_answer(f, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", THEN_READ_ON);
    *state = f;
    return pthread_create(&f->thread, NULL, listen_run, f);
}

void http_stage_stop(struct http_stage *f)
{
    if (f->listener < 0)
        return;
    shutdown(f->listener, SHUT_RDWR);
    http_free(f->http); /* its connection closes, so that the thread gets on */
    f->http = NULL;
    pthread_join(f->thread, NULL);
    close(f->listener);
    f->listener = -1;
}

int http_stage_close(void **state)
{
    struct http_stage *f = *state;

    http_stage_stop(f);
    http_free(f->http);
    buf_release(&f->reply.body);
    message_release(&f->request);
    pthread_mutex_destroy(&f->mutex);
    free(f);
    return 0;
}

bool http_stage_post(struct http_stage *f, const char *body)
{
    return http_send(f->http,
                     &(struct http_request){.method = "POST", .url = f->url, .body = body, .length = strlen(body)},
                     &f->reply, &f->err);
}
