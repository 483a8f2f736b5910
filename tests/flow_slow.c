/*
 * Senders that are never silent and never done: a byte now and then holds a connection, but not for ever, and holds
 * nobody else up. CRIER_SLOW says how many there are at a time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "support/pause.h"
#include "support/raw_client.h"
#include "support/scene.h"
#include "support/usage.h"

enum {
    HEADERS_MS = 2000, /* [http] headers, below */
    IDLE_MS = 5000,    /* [http] idle, below: longer than a machine under load keeps this test from sending a little */
    GRACE_MS = 5000,   /* of a body, before its rate counts */
    LATE_MS = 20000,   /* after the time, on a machine under load with sanitizers */
    TRICKLE_MS = 50,
    SLOW = 300,
    WAIT_S = 20,
    HELD_UP_US = 500000, /* less than who waits for the end of a slow one would take */
    HEALTHY = 200,       /* requests of which the slowest but one counts */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    BYTES_EACH_MOST = 1024 * 1024, /* freed memory is kept for a while, and all memory has a shadow */
#else
    BYTES_EACH_MOST = 16 * 1024,
#endif
};

static const char ini[] = "[redis]\nurl = REDIS\n"
                          "[http]\nlisten = 127.0.0.1:0\nconnections = 20000\nidle = 5s\nheaders = 2s\nrate = 1KiB\n"
                          "[queue q]\nevents = user.*\n";

#define POST "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"

struct stage {
    struct scene *scene;
    struct server *serve;
};

static int group_setup(void **state)
{
    static struct stage st;

    st.scene = scene_open(ini);
    st.serve = crier_serve_start(st.scene->config_path);
    *state = &st;
    return 0;
}

static int group_teardown(void **state)
{
    struct stage *st = *state;

    server_stop(st->serve);
    server_free(st->serve);
    scene_close(st->scene);
    return 0;
}

/* --------------------------------------------------------------------------------------------------- slow senders */

struct sender {
    const char *first, *bit; /* what it begins with, and then sends a little of at a time, for ever */
    int socket;
    int64_t since_ms;
    long ended_ms; /* 0: not yet */
};

static void begin(const struct stage *st, struct sender *s, int last)
{
    char from[40];

    snprintf(from, sizeof from, "127.0.0.%d", 1 + last);
    s->since_ms = clock_monotonic_ms(); /* before the door can know of it */
    s->socket = raw_connect(st->serve, from, WAIT_S);
    assert_int_equal(send(s->socket, s->first, strlen(s->first), MSG_NOSIGNAL), (ssize_t)strlen(s->first));
}

/* A little more; notes when the door has closed the connection. */
static void go_on(struct sender *s)
{
    char answer[1000];
    ssize_t got;

    if (s->ended_ms)
        return;
    got = recv(s->socket, answer, sizeof answer, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN) || send(s->socket, s->bit, strlen(s->bit), MSG_NOSIGNAL) < 0)
        s->ended_ms = (long)(clock_monotonic_ms() - s->since_ms);
}

static void assert_between(const char *who, long ms, long least, long most)
{
    if (ms < least || ms > most)
        fail_msg("%s: ended after %ld ms, not %ld to %ld", who, ms, least, most);
}

static void who_trickles_is_ended_in_its_time_and_who_goes_on_is_not(void **state)
{
    const struct stage *st = *state;
    char enough[401];
    struct sender headers = {.first = POST, .bit = "X"}, none = {.first = "", .bit = "\r\n"};
    struct sender second = {.first = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", .bit = "G"};
    struct sender body = {.first = POST "Content-Length: 100000\r\n\r\n", .bit = " "};
    struct sender chunks = {.first = POST "Transfer-Encoding: chunked\r\n\r\n", .bit = "1\r\n \r\n"};
    struct sender busy = {.first = POST "Content-Length: 1000000\r\n\r\n", .bit = enough}; /* 8 kB a second */
    struct sender *all[] = {&headers, &none, &second, &body, &chunks, &busy};
    int64_t until_ms = clock_monotonic_ms() + IDLE_MS + HEADERS_MS + LATE_MS;

    memset(enough, ' ', sizeof enough - 1);
    enough[sizeof enough - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        begin(st, all[i], 0);
    while (clock_monotonic_ms() < until_ms && !(second.ended_ms && body.ended_ms && chunks.ended_ms)) {
        for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
            go_on(all[i]);
        pause_ms(TRICKLE_MS);
    }
    assert_between("headers", headers.ended_ms, HEADERS_MS, HEADERS_MS + LATE_MS);
    assert_between("empty lines", none.ended_ms, 1, HEADERS_MS + LATE_MS);
    assert_between("a second request", second.ended_ms, HEADERS_MS, IDLE_MS + HEADERS_MS + LATE_MS);
    assert_between("a body", body.ended_ms, GRACE_MS, GRACE_MS + LATE_MS);
    assert_between("a body in chunks", chunks.ended_ms, GRACE_MS, GRACE_MS + LATE_MS);
    assert_int_equal(busy.ended_ms, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        close(all[i]->socket);
}

/* --------------------------------------------------------------------------------------- and what others feel of it */

static int by_length(const void *a, const void *b)
{
    const int64_t *one = a, *other = b;

    return (*one > *other) - (*one < *other);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* Of 200 requests, one after the other: what 99 of 100 take at most. */
static int64_t healthy_p99_us(const struct stage *st)
{
    struct http *h = http_new(&(struct http_options){.connect_ms = 10000, .timeout_ms = 30000});
    struct http_reply reply = HTTP_REPLY_INIT;
    int64_t took_us[HEALTHY], before;
    char url[200];
    struct error err;

    snprintf(url, sizeof url, "http://127.0.0.1:%d/health/live", server_port(st->serve));
    for (int i = 0; i < HEALTHY; i++) {
        before = now_us();
        if (!http_send(h, &(struct http_request){.method = "GET", .url = url}, &reply, &err) || reply.status != 200)
            fail_msg("a healthy sender is not answered");
        took_us[i] = now_us() - before;
    }
    buf_release(&reply.body);
    http_free(h);
    qsort(took_us, HEALTHY, sizeof took_us[0], by_length);
    return took_us[HEALTHY * 99 / 100 - 1];
}

static int slow_count(void)
{
    const char *wanted = getenv("CRIER_SLOW");

    return raw_connections_allow(wanted ? atoi(wanted) : SLOW);
}

static void many_slow_senders_hold_nobody_up_and_cost_little(void **state)
{
    const struct stage *st = *state;
    int count = slow_count(), left = count;
    struct sender *slow = xcalloc((size_t)count, sizeof *slow);
    int64_t alone_us = healthy_p99_us(st), beside_us, until_ms;
    long before_kib = usage_of(server_pid(st->serve)).now_kib, each;

    for (int i = 0; i < count; i++) {
        slow[i] = (struct sender){.first = POST, .bit = "X"};
        begin(st, &slow[i], 1 + i / 5000);
    }
    beside_us = healthy_p99_us(st);
    each = (long)(usage_of(server_pid(st->serve)).now_kib - before_kib) * 1024 / count;
    until_ms = clock_monotonic_ms() + HEADERS_MS + LATE_MS;
    while (left > 0 && clock_monotonic_ms() < until_ms) {
        left = 0;
        for (int i = 0; i < count; i++) {
            go_on(&slow[i]);
            left += !slow[i].ended_ms;
        }
        pause_ms(TRICKLE_MS);
    }
    print_message("%d slow: healthy p99 %lld us, alone %lld us; %ld bytes each\n", count, (long long)beside_us,
                  (long long)alone_us, each);
    assert_int_equal(left, 0);
    assert_true(beside_us <= 2 * alone_us + HELD_UP_US);
    assert_true(each <= BYTES_EACH_MOST);
    for (int i = 0; i < count; i++)
        close(slow[i].socket);
    free(slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_trickles_is_ended_in_its_time_and_who_goes_on_is_not),
        cmocka_unit_test(many_slow_senders_hold_nobody_up_and_cost_little),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
