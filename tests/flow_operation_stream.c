/* Results as Server-Sent Events, to a listener that comes back as a browser's EventSource does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/text.h"
#include "notifier/operation/operation_streams.h"
#include "notifier/operation/operations.h"
#include "support/listener.h"
#include "support/pause.h"
#include "support/scene.h"
#include "support/serve_client.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000 };

struct stage {
    struct scene *scene;
    struct server *serve;
};

static int setup(void **state)
{
    struct stage *s = xcalloc(1, sizeof *s);
    char ini[700];

    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\nstreams = 2\norigins = https://a.example.org\n"
             "[audit]\nfile = %s/streams.ndjson\n[queue changes]\nevents = user.* record.*\n"
             "[handler trail]\ntype = audit\nqueue = changes\nindex =\nschedule = at once\n",
             test_folder());
    s->scene = scene_open(ini);
    s->serve = crier_serve_start(s->scene->config_path);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;

    server_free(s->serve);
    scene_close(s->scene);
    free(s);
    return 0;
}

static struct listener *listener_start(struct stage *s, const char *path)
{
    return listener_open(&(struct listener_options){.port = server_port(s->serve), .path = path});
}

/* ---------------------------------------------------------------------------------------------------- the tests */

static void post_about(struct stage *s, const char *type, const char *subject, int from, int count,
                       const char *operation)
{
    struct buf path = BUF_INIT, body = BUF_INIT;

    for (int i = 0; i < count; i++)
        buf_printf(&body,
                   "%s{\"specversion\":\"1.0\",\"id\":\"e%d\",\"source\":\"/s\",\"type\":\"%s\",\"subject\":\"%s\"}",
                   i ? "," : "[", from + i, type, subject);
    buf_add_char(&body, ']');
    buf_printf(&path, "/events?operation=%s", operation);
    assert_int_equal(
        serve_ask(s->serve, &(struct serve_request){.method = "POST", .path = path.data, .body = body.data}, NULL),
        202);
    buf_release(&path);
    buf_release(&body);
}

static void post(struct stage *s, const char *type, int from, int count, const char *operation)
{
    post_about(s, type, "users/1", from, count, operation);
}

/* What a kill left without acknowledgement is done, and told of, once more: only then no result comes any more. */
static void until_nothing_is_left_to_do(struct stage *s)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!work_is_done(s->scene, "changes")) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("not all events are acknowledged");
        pause_ms(10);
    }
}

static void assert_heard_of(struct listener *l, int events)
{
    char name[40];

    for (int i = 0; i < events; i++) {
        snprintf(name, sizeof name, "\"event\":\"e%d\"", i);
        if (!strstr(l->data.data, name))
            fail_msg("nothing was heard of e%d", i);
    }
}

/* As many more as are not kept any more came while it was away: seven of ten. */
static void a_listener_that_was_away_for_too_long_is_told_of_the_gap(void **state)
{
    struct stage *s = *state;
    struct listener *l = listener_start(s, "/stream");
    char path[120], gap[160], last[LISTENER_ID_ROOM], first[LISTENER_ID_ROOM];

    listener_until_placed(l);
    post(s, "user.updated", 0, 1, "op-1");
    listener_until_heard(l, 1);
    memcpy(last, l->last, sizeof last);
    listener_close(l);
    post(s, "user.updated", 1, 10, "op-1");
    until_nothing_is_left_to_do(s);
    scene_redis(s->scene, "XTRIM crier:{operations}:results MAXLEN = 3");
    snprintf(first, sizeof first, "%s",
             scene_redis(s->scene, "XRANGE crier:{operations}:results - + COUNT 1")->items[0].items[0].text);
    snprintf(path, sizeof path, "/stream?after=%s", last);
    l = listener_start(s, path);
    listener_until_heard(l, 4); /* the gap, and what there is */
    snprintf(gap, sizeof gap, "{\"from\":\"%s\",\"to\":\"%s\"}\n{\"operation\"", last, first);
    pthread_mutex_lock(&l->mutex);
    assert_ptr_equal(strstr(l->data.data, gap), l->data.data);
    assert_null(strstr(strchr(l->data.data, '\n'), "\"from\":")); /* once */
    pthread_mutex_unlock(&l->mutex);
    listener_close(l);
    snprintf(path, sizeof path, "/stream?after=%s", first);
    l = listener_start(s, path);
    listener_until_heard(l, 2);
    pthread_mutex_lock(&l->mutex);
    assert_null(strstr(l->data.data, "\"from\":"));
    pthread_mutex_unlock(&l->mutex);
    listener_close(l);
}

/* A result may be there twice where a kill came between it and its acknowledgement; each of them is heard once. */
static void a_listener_hears_every_result_once_over_a_kill_of_the_service(void **state)
{
    enum { ROUNDS = 3, EVENTS = 60 };
    struct stage *s = *state;
    struct listener *l = listener_start(s, "/stream");
    const struct reply *entries;

    listener_until_placed(l);
    for (int i = 0; i < ROUNDS; i++) {
        post(s, "user.updated", 2 * i * EVENTS, EVENTS, "op-1");
        listener_until_heard(l, (size_t)(2 * i * EVENTS + 1));
        server_kill(s->serve);
        server_restart(s->serve);
        post(s, "user.updated", (2 * i + 1) * EVENTS, EVENTS, "op-2");
        listener_until_heard(l, (size_t)(2 * (i + 1) * EVENTS));
    }
    until_nothing_is_left_to_do(s);
    entries = scene_redis(s->scene, "XRANGE %s - +", OPERATION_RESULTS);
    listener_until_heard(l, entries->count);
    pthread_mutex_lock(&l->mutex);
    assert_int_equal(l->count, entries->count);
    for (size_t i = 0; i < l->count; i++)
        assert_string_equal(l->ids[i], entries->items[i].items[0].text);
    assert_heard_of(l, 2 * ROUNDS * EVENTS);
    pthread_mutex_unlock(&l->mutex);
    listener_close(l);
}

static void a_listener_that_reads_slowly_hears_all_of_a_long_past(void **state)
{
    enum { EVENTS = 900, SUBJECT_BYTES = 500 };
    struct stage *s = *state;
    char subject[SUBJECT_BYTES + 1] = "";
    const struct reply *entries;
    struct buf said = BUF_INIT;
    struct listener *l;

    memset(subject, 's', SUBJECT_BYTES);
    memcpy(subject, "users/", strlen("users/"));
    for (int i = 0; i < EVENTS; i += EVENTS / 9)
        post_about(s, "user.updated", subject, i, EVENTS / 9, "op-1");
    until_nothing_is_left_to_do(s);
    entries = scene_redis(s->scene, "XRANGE %s - +", OPERATION_RESULTS);
    assert_int_equal(entries->count, EVENTS);
    for (size_t i = 0; i < EVENTS; i++) {
        assert_true(result_add_json(&entries->items[i], &said));
        buf_add_char(&said, '\n');
    }
    l = listener_open(
        &(struct listener_options){.port = server_port(s->serve), .path = "/operations/op-1/stream", .slow = true});
    listener_until_heard(l, EVENTS);
    pthread_mutex_lock(&l->mutex);
    assert_true(said.length > 8 * (size_t)LISTENER_BYTES);
    assert_true(text_same(l->data.data, said.data)); /* every byte */
    for (size_t i = 0; i < EVENTS; i++)
        assert_string_equal(l->ids[i], entries->items[i].items[0].text);
    pthread_mutex_unlock(&l->mutex);
    listener_close(l);
    buf_release(&said);
}

static void a_listener_hears_only_what_it_asked_for(void **state)
{
    struct stage *s = *state;
    struct listener *records = listener_start(s, "/stream?events=record.*"), *operation;

    listener_until_placed(records);
    post(s, "user.updated", 0, 3, "op-1");
    post(s, "record.updated", 3, 2, "op-1");
    post(s, "user.updated", 5, 2, "op-2");
    listener_until_heard(records, 2);
    operation = listener_start(s, "/operations/op-1/stream"); /* with what was there before */
    listener_until_heard(operation, 5);
    post(s, "record.updated", 7, 1, "op-2");
    listener_until_heard(records, 3);
    assert_int_equal(listener_heard(operation), 5);
    pthread_mutex_lock(&records->mutex);
    assert_null(strstr(records->data.data, "user.updated"));
    assert_non_null(strstr(records->data.data, "{\"operation\":\"op-1\",\"event\":\"e3\""));
    pthread_mutex_unlock(&records->mutex);
    listener_close(operation);
    listener_close(records);
}

/* Until the head is whole: a stream goes on. */
static size_t on_head(char *bytes, size_t size, size_t count, void *context)
{
    struct buf *head = context;

    buf_add(head, bytes, size * count);
    return strstr(head->data, "\r\n\r\n") ? 0 : size * count;
}

/* A request's status, and the head of its answer. */
static long ask(struct stage *s, const char *method, const char *path, const char *header, struct buf *head)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, header);
    char url[200];
    long status;

    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server_port(s->serve), path);
    buf_reset(head);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_HEADER, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_head);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, head);
    curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

static void there_are_limits_and_only_pages_of_the_list_may_ask(void **state)
{
    struct stage *s = *state;
    struct buf head = BUF_INIT;
    struct listener *first, *second;

    assert_int_equal(ask(s, "GET", "/stream", "Origin: https://a.example.org", &head), 200);
    assert_non_null(strstr(head.data, "Access-Control-Allow-Origin: https://a.example.org"));
    assert_non_null(strstr(head.data, "text/event-stream"));
    assert_int_equal(ask(s, "OPTIONS", "/events", "Origin: https://a.example.org", &head), 204);
    assert_non_null(strstr(head.data, "Last-Event-ID"));
    assert_int_equal(ask(s, "OPTIONS", "/events", "Origin: https://b.example.org", &head), 405);
    assert_null(strstr(head.data, "Access-Control"));
    assert_int_equal(ask(s, "GET", "/stream", "Origin: https://b.example.org", &head), 403);
    assert_null(strstr(head.data, "Access-Control"));
    assert_int_equal(ask(s, "GET", "/stream", "Last-Event-ID: x", &head), 400);
    assert_int_equal(ask(s, "GET", "/stream?events=..", "X: y", &head), 400);
    assert_int_equal(ask(s, "POST", "/stream", "X: y", &head), 405);
    first = listener_start(s, "/stream");
    second = listener_start(s, "/stream");
    listener_until_placed(first);
    listener_until_placed(second);
    assert_int_equal(ask(s, "GET", "/stream", "X: y", &head), 503);
    server_stop(s->serve); /* which does not wait for those who listen */
    server_restart(s->serve);
    listener_close(first);
    listener_close(second);
    buf_release(&head);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_listener_hears_every_result_once_over_a_kill_of_the_service),
        TEST(a_listener_that_reads_slowly_hears_all_of_a_long_past),
        TEST(a_listener_that_was_away_for_too_long_is_told_of_the_gap),
        TEST(a_listener_hears_only_what_it_asked_for),
        TEST(there_are_limits_and_only_pages_of_the_list_may_ask),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
