#include "bench/posting.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/http.h"
#include "bench/measure.h"

static bool take_body(struct posting *p, size_t *which)
{
    bool any;

    pthread_mutex_lock(&p->mutex);
    any = p->next < p->count;
    *which = p->next++;
    pthread_mutex_unlock(&p->mutex);
    return any;
}

static void *post_main(void *context)
{
    struct posting *p = context;
    struct http *http = http_new(&(struct http_options){.connect_ms = 5000, .timeout_ms = 120000});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;
    size_t which;

    while (take_body(p, &which)) {
        struct http_request request = {.method = "POST",
                                       .url = p->url,
                                       .content_type = p->content_type,
                                       .body = p->bodies[which].data,
                                       .length = p->bodies[which].length};

        if (!http_send(http, &request, &reply, &err))
            measure_failed(p->url, err.text);
        if (reply.status >= 300)
            measure_failed(p->url, reply.body.data);
    }
    buf_release(&reply.body);
    http_free(http);
    return NULL;
}

double posting_send(struct posting *p, int connections)
{
    int64_t start_us = clock_wall_us();
    pthread_t threads[16];

    pthread_mutex_init(&p->mutex, NULL);
    for (int i = 0; i < connections; i++)
        pthread_create(&threads[i], NULL, post_main, p);
    for (int i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    return measure_seconds_since(start_us);
}

void posting_release(struct posting *p)
{
    for (size_t i = 0; i < p->count; i++)
        buf_release(&p->bodies[i]);
    free(p->bodies);
}
