#include "support/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/clock.h"

enum { PATIENCE_MS = 60000, AGAIN_MS = 20, LONG_HEADER_BYTES = 40000, OK = 200 };

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

/* ------------------------------------------------------------------------------------------------- what it reads */

static void take_line(struct listener *l)
{
    buf_add(&l->line, "", 0); /* an empty one, too, is a text */
    if (strncmp(l->line.data, "id: ", 4) == 0) {
        snprintf(l->last, sizeof l->last, "%s", l->line.data + 4);
    } else if (strncmp(l->line.data, "data: ", 6) == 0) {
        assert_true(l->count < LISTENER_IDS_MOST);
        memcpy(l->ids[l->count++], l->last, LISTENER_ID_ROOM);
        buf_add_text(&l->data, l->line.data + 6);
        buf_add_char(&l->data, '\n');
    } else if (l->line.data[0] == ':') {
        l->comments++;
    }
    buf_reset(&l->line);
}

static void take_bytes(struct listener *l, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] == '\n')
            take_line(l);
        else
            buf_add_char(&l->line, bytes[i]);
}

struct answer {
    struct listener *listener;
    CURL *curl;
};

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    const struct answer *a = context;
    struct listener *l = a->listener;
    long status = 0;

    curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);
    if (l->slow)
        pause_ms(1);
    pthread_mutex_lock(&l->mutex);
    if (status == OK)
        take_bytes(l, bytes, size * count);
    else
        snprintf(l->refused, sizeof l->refused, "%.*s", (int)(size * count), bytes);
    pthread_mutex_unlock(&l->mutex);
    return l->deaf ? CURL_WRITEFUNC_PAUSE : size * count;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    const struct answer *a = context;
    long status = 0;

    curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == OK && size * count == 2 && bytes[0] == '\r') { /* the end of the head */
        pthread_mutex_lock(&a->listener->mutex);
        a->listener->opened++;
        pthread_mutex_unlock(&a->listener->mutex);
    }
    return size * count;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct listener *l = context;
    bool over;

    (void)a, (void)b, (void)c, (void)d;
    pthread_mutex_lock(&l->mutex);
    over = l->over;
    pthread_mutex_unlock(&l->mutex);
    return over;
}

/* ------------------------------------------------------------------------------------------------- how it asks */

/* What is not read stays with the sender. */
static int make_narrow(void *context, curl_socket_t made, curlsocktype purpose)
{
    int bytes = 4096;

    (void)context, (void)purpose;
    setsockopt(made, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    return CURL_SOCKOPT_OK;
}

/* What the headers take of a connection's memory a piece of its answer cannot: pieces are smaller than what is ready.
 */
static struct curl_slist *add_long_header(struct curl_slist *headers)
{
    char *header = xcalloc(1, LONG_HEADER_BYTES);
    struct curl_slist *with;

    memset(header, 'x', LONG_HEADER_BYTES - 1);
    memcpy(header, "X-Long: ", strlen("X-Long: "));
    with = curl_slist_append(headers, header);
    free(header);
    return with;
}

static struct curl_slist *headers_of(const struct listener *l)
{
    struct curl_slist *headers = NULL;
    char last[100];

    snprintf(last, sizeof last, "Last-Event-ID: %s", l->last);
    if (*l->last)
        headers = curl_slist_append(headers, last);
    if (*l->authorization)
        headers = curl_slist_append(headers, l->authorization);
    return l->slow ? add_long_header(headers) : headers;
}

static void listen_once(struct listener *l, CURL *curl)
{
    struct answer answer = {l, curl};
    struct curl_slist *headers = headers_of(l);
    long status = 0;

    pthread_mutex_lock(&l->mutex);
    buf_reset(&l->line);
    pthread_mutex_unlock(&l->mutex);
    curl_easy_setopt(curl, CURLOPT_URL, l->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, l);
    if (l->slow || l->deaf)
        curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, make_narrow);
    curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    pthread_mutex_lock(&l->mutex);
    l->status = status;
    pthread_mutex_unlock(&l->mutex);
}

static void *listen_on(void *context)
{
    struct listener *l = context;
    CURL *curl = curl_easy_init();

    while (!on_progress(l, 0, 0, 0, 0)) {
        listen_once(l, curl);
        pause_ms(AGAIN_MS);
    }
    curl_easy_cleanup(curl);
    return NULL;
}

struct listener *listener_open(const struct listener_options *o)
{
    struct listener *l = xcalloc(1, sizeof *l);

    l->slow = o->slow;
    l->deaf = o->deaf;
    pthread_mutex_init(&l->mutex, NULL);
    buf_init(&l->line);
    buf_init(&l->data);
    snprintf(l->url, sizeof l->url, "http://127.0.0.1:%d%s", o->port, o->path);
    if (o->token)
        snprintf(l->authorization, sizeof l->authorization, "Authorization: Bearer %s", o->token);
    pthread_create(&l->thread, NULL, listen_on, l);
    return l;
}

void listener_close(struct listener *l)
{
    pthread_mutex_lock(&l->mutex);
    l->over = true;
    pthread_mutex_unlock(&l->mutex);
    pthread_join(l->thread, NULL);
    pthread_mutex_destroy(&l->mutex);
    buf_release(&l->line);
    buf_release(&l->data);
    free(l);
}

/* ------------------------------------------------------------------------------------------- what became of it */

size_t listener_heard(struct listener *l)
{
    size_t count;

    pthread_mutex_lock(&l->mutex);
    count = l->count;
    pthread_mutex_unlock(&l->mutex);
    return count;
}

static bool has_opened(const struct listener *l, size_t n)
{
    return l->opened >= n;
}

static bool is_placed(const struct listener *l, size_t n)
{
    (void)n;
    return *l->last != '\0';
}

static bool has_heard(const struct listener *l, size_t n)
{
    return l->count >= n;
}

static bool has_comment(const struct listener *l, size_t n)
{
    return l->comments >= n;
}

static bool has_status(const struct listener *l, size_t n)
{
    return l->status == (long)n;
}

static void until(struct listener *l, bool (*question)(const struct listener *l, size_t n), size_t n, const char *what)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    bool so = false;

    while (!so) {
        pthread_mutex_lock(&l->mutex);
        so = question(l, n);
        pthread_mutex_unlock(&l->mutex);
        if (!so && clock_monotonic_ms() > until_ms)
            fail_msg("not %s %zu: %zu heard, %zu comments, last answer %ld", what, n, l->count, l->comments, l->status);
        pause_ms(so ? 0 : 5);
    }
}

void listener_until_opened(struct listener *l)
{
    until(l, has_opened, 1, "opened");
}

void listener_until_placed(struct listener *l)
{
    until(l, is_placed, 1, "placed");
}

void listener_until_heard(struct listener *l, size_t count)
{
    until(l, has_heard, count, "heard");
}

void listener_until_comment(struct listener *l)
{
    until(l, has_comment, 1, "a comment");
}

void listener_until_status(struct listener *l, long status)
{
    until(l, has_status, (size_t)status, "the status");
}
