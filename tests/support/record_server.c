#include "support/record_server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "support/server.h"

enum { ID_BYTES_MOST = 100 };

struct record {
    char id[ID_BYTES_MOST];
    int revision;
    char *text; /* the whole document; NULL: gone */
};

struct record_server {
    struct MHD_Daemon *daemon;
    pthread_mutex_t mutex;
    char *token;
    char url[60];
    int port;
    struct record *records; /* sorted by id */
    size_t count;
    int refused, refused_status, retry_after_s, wait_ms;
    int requests, unmodified, now, most;
};

/* -------------------------------------------------------------------------------------------------- the records */

static struct record *record_find(struct record_server *s, const char *id)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->records[i].id, id) == 0)
            return &s->records[i];
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct record *)a)->id, ((const struct record *)b)->id);
}

static void put(struct record_server *s, const char *id, int revision, char *text)
{
    struct record *r;

    pthread_mutex_lock(&s->mutex);
    r = record_find(s, id);
    if (!r) {
        s->records = xrealloc(s->records, (s->count + 1) * sizeof *s->records);
        r = &s->records[s->count++];
        *r = (struct record){.revision = 0};
        snprintf(r->id, sizeof r->id, "%s", id);
    }
    free(r->text);
    r->revision = revision;
    r->text = text;
    qsort(s->records, s->count, sizeof *s->records, by_id);
    pthread_mutex_unlock(&s->mutex);
}

void record_server_put(struct record_server *s, const char *id, int revision, const char *metadata)
{
    struct buf text = BUF_INIT;

    buf_add_text(&text, "{\"id\": ");
    buf_add_json_text(&text, id);
    buf_printf(&text, ", \"revision_id\": %d,\n \"metadata\": %s}\n", revision, metadata);
    put(s, id, revision, *metadata ? buf_take(&text) : NULL);
    buf_release(&text);
}

void record_server_put_text(struct record_server *s, const char *id, const char *text)
{
    put(s, id, 0, xstrdup(text));
}

/* --------------------------------------------------------------------------------------------------- the answers */

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *body, const char *name,
                              const char *value)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    MHD_add_response_header(response, "Content-Type", "application/json");
    if (value)
        MHD_add_response_header(response, name, value);
    result = MHD_queue_response(c, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_missing(struct record_server *s, struct MHD_Connection *c, unsigned status)
{
    const struct record *other = status == 404 ? record_find(s, "?404") : NULL;

    return answer(c, status, other && *other->text ? other->text : "{\"message\":\"gone\"}", NULL, NULL);
}

static enum MHD_Result answer_record(struct record_server *s, struct MHD_Connection *c, const char *id)
{
    const char *known = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-None-Match");
    const struct record *r = record_find(s, id);
    char etag[40];

    if (!r || !r->text)
        return answer_missing(s, c, r ? 410 : 404);
    snprintf(etag, sizeof etag, "\"%d\"", r->revision);
    if (known && strcmp(known, etag) == 0) {
        s->unmodified++;
        return answer(c, 304, "", "ETag", etag);
    }
    return answer(c, 200, r->text, "ETag", r->revision ? etag : NULL);
}

static int argument(struct MHD_Connection *c, const char *name, int fallback)
{
    const char *value = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);

    return value ? atoi(value) : fallback;
}

/* Those from the first of that number on; total counts all. */
static void add_hits(struct record_server *s, size_t from, size_t size, struct buf *out)
{
    size_t total = 0, given = 0;

    buf_add_text(out, "{\"hits\": {\"hits\": [");
    for (size_t i = 0; i < s->count; i++) {
        if (!s->records[i].text || s->records[i].id[0] == '?')
            continue;
        if (total++ < from || given == size)
            continue;
        buf_printf(out, "%s%s", given++ > 0 ? ", " : "", s->records[i].text);
    }
    buf_printf(out, "], \"total\": %zu}", total);
}

static size_t count_until(struct record_server *s, const char *id)
{
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++)
        count += s->records[i].text && s->records[i].id[0] != '?' && strcmp(s->records[i].id, id) <= 0;
    return count;
}

static enum MHD_Result answer_list(struct record_server *s, struct MHD_Connection *c, const char *kind)
{
    const char *after = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "after");
    size_t size = (size_t)argument(c, "size", 10), page = (size_t)argument(c, "page", 1);
    size_t from = after ? count_until(s, after) : size * (page - 1);
    struct buf body = BUF_INIT;
    enum MHD_Result result;

    add_hits(s, from, size, &body);
    if (strcmp(kind, "links") == 0 && from + size < s->count) /* of the name that the platform gives itself */
        buf_printf(&body, ", \"links\": {\"next\": \"https://repository.example.org/api/links?size=%zu&page=%zu\"}",
                   size, page + 1);
    buf_add_char(&body, '}');
    result = answer(c, 200, record_find(s, "?records") ? record_find(s, "?records")->text : body.data, NULL, NULL);
    buf_release(&body);
    return result;
}

static bool may_ask(const struct record_server *s, struct MHD_Connection *c)
{
    const char *given = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");

    return !s->token || (given && strncmp(given, "Bearer ", 7) == 0 && strcmp(given + 7, s->token) == 0);
}

static enum MHD_Result answer_locked(struct record_server *s, struct MHD_Connection *c, const char *path)
{
    char retry[20];

    if (s->refused > 0) {
        s->refused--;
        snprintf(retry, sizeof retry, "%d", s->retry_after_s);
        return answer(c, (unsigned)s->refused_status, "{}", "Retry-After", s->retry_after_s ? retry : NULL);
    }
    if (!may_ask(s, c))
        return answer(c, 401, "{}", NULL, NULL);
    if (strncmp(path, "/api/records/", 13) == 0)
        return answer_record(s, c, path + 13);
    if (strchr(path + strlen("/api/"), '/'))
        return answer(c, 404, "{}", NULL, NULL);
    return answer_list(s, c, path + strlen("/api/"));
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *c, const char *path, const char *method,
                                  const char *version, const char *data, size_t *length, void **state)
{
    struct record_server *s = context;
    enum MHD_Result result;
    int wait_ms;

    (void)method;
    (void)version;
    (void)data;
    (void)length;
    (void)state;
    pthread_mutex_lock(&s->mutex);
    s->requests++;
    s->most = ++s->now > s->most ? s->now : s->most;
    wait_ms = s->wait_ms;
    pthread_mutex_unlock(&s->mutex);
    if (wait_ms)
        nanosleep(&(struct timespec){wait_ms / 1000, wait_ms % 1000 * 1000000L}, NULL);
    pthread_mutex_lock(&s->mutex);
    s->now--;
    result = answer_locked(s, c, path);
    pthread_mutex_unlock(&s->mutex);
    return result;
}

/* ------------------------------------------------------------------------------------------------------ its life */

void record_server_resume(struct record_server *s)
{
    s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, (uint16_t)s->port,
                                 NULL, NULL, on_request, s, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    assert_non_null(s->daemon);
}

void record_server_stop(struct record_server *s)
{
    MHD_stop_daemon(s->daemon);
    s->daemon = NULL;
}

struct record_server *record_server_start(const char *token)
{
    struct record_server *s = xcalloc(1, sizeof *s);

    s->token = token ? xstrdup(token) : NULL;
    s->port = port_find();
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
    pthread_mutex_init(&s->mutex, NULL);
    record_server_resume(s);
    return s;
}

void record_server_free(struct record_server *s)
{
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    for (size_t i = 0; i < s->count; i++)
        free(s->records[i].text);
    pthread_mutex_destroy(&s->mutex);
    free(s->records);
    free(s->token);
    free(s);
}

const char *record_server_url(const struct record_server *s)
{
    return s->url;
}

void record_server_refuse(struct record_server *s, int requests, int status, int retry_after_s)
{
    pthread_mutex_lock(&s->mutex);
    s->refused = requests;
    s->refused_status = status;
    s->retry_after_s = retry_after_s;
    pthread_mutex_unlock(&s->mutex);
}

void record_server_delay(struct record_server *s, int wait_ms)
{
    pthread_mutex_lock(&s->mutex);
    s->wait_ms = wait_ms;
    pthread_mutex_unlock(&s->mutex);
}

static int read_number(const struct record_server *s, const int *number)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&s->mutex;
    int value;

    pthread_mutex_lock(mutex);
    value = *number;
    pthread_mutex_unlock(mutex);
    return value;
}

int record_server_requests(const struct record_server *s)
{
    return read_number(s, &s->requests);
}

int record_server_unmodified(const struct record_server *s)
{
    return read_number(s, &s->unmodified);
}

int record_server_most(const struct record_server *s)
{
    return read_number(s, &s->most);
}
