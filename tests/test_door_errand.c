#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <curl/curl.h>
#include <pthread.h>

#include "base/alloc.h"
#include "support/door_client.h"

enum { DEADLINE_MS = 60000, ASKERS_MOST = 100 };

/* A page that answers with what it was asked, once the test lets it. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool open;
    int inside, refused; /* so many called, so many who ask were told 503 */
};

struct stage {
    struct gate gate;
    struct door_page pages[2];
    struct door_client client;
};

/* Somebody who asks, in a thread of his own. */
struct asker {
    pthread_t thread;
    struct gate *gate;
    int port;
    long status;
};

static unsigned answer(void *context, const struct page_request *request, struct buf *body)
{
    struct gate *g = context;

    pthread_mutex_lock(&g->mutex);
    g->inside++;
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
    buf_add(body, request->bytes, request->length);
    return 200;
}

static int setup(void **state)
{
    struct stage *s = xcalloc(1, sizeof *s);
    struct error err;

    pthread_mutex_init(&s->gate.mutex, NULL);
    pthread_cond_init(&s->gate.changed, NULL);
    s->pages[0] = (struct door_page){
        .path = "/ask", .content_type = "application/json", .answer = answer, .context = &s->gate, .body_bytes = 1000};
    s->client.scene = scene_open("[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\nthreads = 1\n"
                                 "[queue changes]\nevents = user.*\n");
    s->client.door = door_open(s->client.scene->settings, s->pages, &err);
    if (!s->client.door)
        fail_msg("%s", err.text);
    s->client.curl = curl_easy_init();
    buf_init(&s->client.body);
    *state = s;
    return 0;
}

static void open_gate(struct gate *g)
{
    pthread_mutex_lock(&g->mutex);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
}

/* Until one of the gate's numbers is so high. */
static void wait_for(struct gate *g, const int *number, int count)
{
    struct timespec until;
    int status = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_MS / 1000;
    pthread_mutex_lock(&g->mutex);
    while (*number < count && status == 0)
        status = pthread_cond_timedwait(&g->changed, &g->mutex, &until);
    pthread_mutex_unlock(&g->mutex);
    assert_int_equal(status, 0);
}

static int teardown(void **state)
{
    struct stage *s = *state;

    open_gate(&s->gate);
    curl_easy_cleanup(s->client.curl);
    door_close(s->client.door);
    scene_close(s->client.scene);
    json_decref(s->client.json);
    buf_release(&s->client.body);
    pthread_cond_destroy(&s->gate.changed);
    pthread_mutex_destroy(&s->gate.mutex);
    free(s);
    return 0;
}

static size_t ignore(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

static void *ask(void *context)
{
    struct asker *a = context;
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, JSON);
    char url[60];

    snprintf(url, sizeof url, "http://127.0.0.1:%d/ask", a->port);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "{}");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    pthread_mutex_lock(&a->gate->mutex);
    a->gate->refused += a->status == 503;
    pthread_cond_broadcast(&a->gate->changed);
    pthread_mutex_unlock(&a->gate->mutex);
    return NULL;
}

static void send_askers(struct stage *s, struct asker *askers, int count)
{
    for (int i = 0; i < count; i++) {
        askers[i] = (struct asker){.gate = &s->gate, .port = door_port(s->client.door)};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
}

/* How many of them got that answer. */
static int join_askers(struct asker *askers, int count, long status)
{
    int found = 0;

    for (int i = 0; i < count; i++) {
        pthread_join(askers[i].thread, NULL);
        found += askers[i].status == status;
    }
    return found;
}

/* ------------------------------------------------------------------------------------------------------ the tests */

static void events_pass_by_a_page_that_takes_its_time(void **state)
{
    struct stage *s = *state;
    struct asker askers[4];

    send_askers(s, askers, 4);
    wait_for(&s->gate, &s->gate.inside, 4);
    assert_int_equal(client_post(&s->client, STRUCTURED, EVENT("a")), 202); /* by the door's only thread */
    open_gate(&s->gate);
    assert_int_equal(join_askers(askers, 4, 200), 4);
}

static void a_connection_is_used_again_after_its_answer(void **state)
{
    struct stage *s = *state;

    open_gate(&s->gate);
    for (int i = 0; i < 50; i++) {
        char body[40];
        int length = snprintf(body, sizeof body, "{\"n\":%d}", i);

        assert_int_equal(
            client_request(&s->client, "POST", "/ask", (const char *const[]){JSON, NULL}, body, (size_t)length), 200);
        assert_string_equal(s->client.body.data, body);
    }
}

static void who_asks_beyond_what_can_wait_is_told_at_once(void **state)
{
    struct stage *s = *state;
    struct asker askers[ASKERS_MOST];

    send_askers(s, askers, ASKERS_MOST);
    wait_for(&s->gate, &s->gate.refused, ASKERS_MOST - 68); /* 4 are under way and 64 wait */
    open_gate(&s->gate);
    assert_int_equal(join_askers(askers, ASKERS_MOST, 200), 68);
}

static void *close_door(void *context)
{
    struct stage *s = context;

    door_close(s->client.door);
    return NULL;
}

static void a_door_that_closes_answers_everybody(void **state)
{
    struct stage *s = *state;
    struct asker askers[10];
    pthread_t closing;
    struct error err;

    send_askers(s, askers, 10);
    wait_for(&s->gate, &s->gate.inside, 4);
    assert_int_equal(pthread_create(&closing, NULL, close_door, s), 0);
    open_gate(&s->gate);
    pthread_join(closing, NULL);
    for (int i = 0; i < 10; i++) {
        pthread_join(askers[i].thread, NULL);
        assert_true(askers[i].status == 200 || askers[i].status == 503 || askers[i].status == 0);
    }
    s->client.door = door_open(s->client.scene->settings, s->pages, &err); /* for the teardown */
    assert_non_null(s->client.door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_pass_by_a_page_that_takes_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_connection_is_used_again_after_its_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(who_asks_beyond_what_can_wait_is_told_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_door_that_closes_answers_everybody, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
