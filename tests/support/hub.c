#include "support/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "support/message.h"
#include "support/process.h"

static struct hub_answer note(struct hub *h, const struct message *m)
{
    size_t number = h->request_count < h->answer_count ? h->request_count : h->answer_count - 1;
    struct hub_answer answer;

    pthread_mutex_lock(&h->mutex);
    answer = h->answers[number];
    if (h->request_count < HUB_REQUESTS_MOST) {
        h->heads[h->request_count] = xstrndup(m->bytes.data, m->head);
        h->lengths[h->request_count] = message_body_length(m);
        h->packed[h->request_count] = message_is_packed(m);
        h->request_count++;
    }
    pthread_mutex_unlock(&h->mutex);
    return answer;
}

static void *run(void *context)
{
    struct message m = MESSAGE_INIT;
    struct hub *h = context;
    int link;

    while ((link = accept(h->fd, NULL, NULL)) >= 0) {
        while (message_read(link, &m)) {
            struct hub_answer answer = note(h, &m);
            const char *body = answer.body ? answer.body : "{\"report\":{\"id\":\"hub-1\"}}";
            struct buf reply = BUF_INIT;

            message_add_reply(&reply, answer.status, answer.retry_after_s, body, strlen(body));
            socket_send(link, reply.data, reply.length);
            buf_release(&reply);
        }
        close(link);
    }
    message_release(&m);
    return NULL;
}

void hub_start(struct hub *h)
{
    struct sockaddr_in address;

    h->port = port_find();
    h->fd = socket_loopback(&address, h->port);
    assert_int_equal(bind(h->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(h->fd, 16), 0);
    pthread_mutex_init(&h->mutex, NULL);
    pthread_create(&h->thread, NULL, run, h);
}

void hub_stop(struct hub *h)
{
    shutdown(h->fd, SHUT_RDWR);
    pthread_join(h->thread, NULL);
    close(h->fd);
    for (size_t i = 0; i < h->request_count; i++)
        free(h->heads[i]);
}

void hub_answers(struct hub *h, const struct hub_answer *answers, size_t count)
{
    for (size_t i = 0; i < h->request_count; i++)
        free(h->heads[i]);
    h->request_count = 0;
    h->answer_count = count;
    memcpy(h->answers, answers, count * sizeof *answers);
}
