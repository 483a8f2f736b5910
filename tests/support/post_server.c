#include "support/post_server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "support/server.h"

struct post_server {
    struct MHD_Daemon *daemon;
    pthread_mutex_t mutex;
    post_answer answer;
    void *context;
    char url[60];
};

static ssize_t give_half(void *context, uint64_t at, char *out, size_t most)
{
    const struct buf *body = context;
    size_t half = body->length / 2, left = at < half ? half - (size_t)at : 0;

    if (left == 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    left = left < most ? left : most;
    memcpy(out, body->data + at, left);
    return (ssize_t)left;
}

static void free_body(void *context)
{
    buf_release(context);
    free(context);
}

static struct MHD_Response *response_of(const struct post_reply *reply)
{
    struct buf *kept;

    if (!reply->cut)
        return MHD_create_response_from_buffer(reply->body.length, reply->body.data, MHD_RESPMEM_MUST_COPY);
    kept = xcalloc(1, sizeof *kept);
    buf_init(kept);
    buf_add(kept, reply->body.data, reply->body.length);
    return MHD_create_response_from_callback(kept->length, 1024, give_half, kept, free_body);
}

static enum MHD_Result send_reply(struct MHD_Connection *c, const struct post_reply *reply)
{
    struct MHD_Response *response = response_of(reply);
    enum MHD_Result result;
    char wait[20];

    snprintf(wait, sizeof wait, "%d", reply->retry_after_s);
    MHD_add_response_header(response, "Content-Type", reply->type ? reply->type : "application/json");
    if (reply->retry_after_s)
        MHD_add_response_header(response, "Retry-After", wait);
    result = MHD_queue_response(c, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

static const char *header(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static enum MHD_Result answer_whole(struct post_server *s, struct MHD_Connection *c, const char *path,
                                    const struct buf *body)
{
    struct post_request request = {
        .path = path,
        .type = header(c, "Content-Type"),
        .id = header(c, "webhook-id"),
        .timestamp = header(c, "webhook-timestamp"),
        .signature = header(c, "webhook-signature"),
        .authorization = header(c, "Authorization"),
        .body = body->data,
        .length = body->length,
    };
    struct post_reply reply = {.status = 204, .body = BUF_INIT};
    enum MHD_Result result;

    post_server_lock(s);
    s->answer(s->context, &request, &reply);
    post_server_unlock(s);
    if (reply.wait_ms)
        nanosleep(&(struct timespec){reply.wait_ms / 1000, reply.wait_ms % 1000 * 1000000L}, NULL);
    result = send_reply(c, &reply);
    buf_release(&reply.body);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *version, const char *bytes, size_t *length, void **state)
{
    struct buf *body = *state;

    (void)method;
    (void)version;
    if (!body) {
        *state = body = xcalloc(1, sizeof *body);
        buf_init(body);
        return MHD_YES;
    }
    if (*length == 0)
        return answer_whole(context, c, path, body);
    buf_add(body, bytes, *length);
    *length = 0;
    return MHD_YES;
}

static void on_end(void *context, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
    (void)context;
    (void)c;
    (void)why;
    if (*state)
        free_body(*state);
    *state = NULL;
}

struct post_server *post_server_start(post_answer answer, void *context)
{
    struct post_server *s = xcalloc(1, sizeof *s);
    int port = port_find();

    s->answer = answer;
    s->context = context;
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", port);
    pthread_mutex_init(&s->mutex, NULL);
    s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, (uint16_t)port, NULL,
                                 NULL, on_request, s, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
    assert_non_null(s->daemon);
    return s;
}

void post_server_free(struct post_server *s)
{
    MHD_stop_daemon(s->daemon);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

json_t *post_request_events(const struct post_request *r)
{
    const char *at = r->body, *end;
    json_t *all;

    assert_non_null(r->type);
    if (strcmp(r->type, "application/cloudevents-batch+json") == 0)
        return json_loadb(r->body, r->length, 0, NULL);
    assert_string_equal(r->type, "application/x-ndjson");
    all = json_array();
    for (; (end = strchr(at, '\n')); at = end + 1)
        json_array_append_new(all, json_loadb(at, (size_t)(end - at), 0, NULL));
    return all;
}

const char *post_server_url(const struct post_server *s)
{
    return s->url;
}

void post_server_lock(struct post_server *s)
{
    pthread_mutex_lock(&s->mutex);
}

void post_server_unlock(struct post_server *s)
{
    pthread_mutex_unlock(&s->mutex);
}
