/*
 * Readers that take their answers slowly, though never so slowly that the connection is silent: each is ended that
 * stays behind [http] rate, and no other; nor who is always a little behind, but takes all that there is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "support/pause.h"
#include "support/raw_client.h"
#include "support/scene.h"

enum {
    ASKED = 5000,
    ALL_BYTES_LEAST = ASKED * 1000,
    HARDLY = 40, /* bytes a millisecond: enough for libmicrohttpd to write now and then */
    WELL = 400,  /* [http] rate is between them */
    ENDED_WITHIN_MS = 60000,
    LOOK_EVERY_MS = 500,
    WAIT_S = 60,
    STEADY = 20, /* bytes a millisecond: well below the rate */
    STEADY_BEHIND = 100,
    STEADY_MS = 25000, /* twice as long as the door waits for who may be too slow, and more */
};

static const char ini[] = "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\nidle = 10s\nrate = 64KiB\n"
                          "[queue q]\nevents = user.*\n";

struct reader {
    int socket, per_ms;
    int64_t since_ms, bytes;
    int answers; /* that say what is wrong */
};

struct stage {
    struct scene *scene;
    struct server *serve;
};

static int setup(void **state)
{
    static struct stage st;

    st.scene = scene_open(ini);
    st.serve = crier_serve_start(st.scene->config_path);
    *state = &st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    server_stop(st->serve);
    server_free(st->serve);
    scene_close(st->scene);
    return 0;
}

/* What the door counts of those it ended. */
static long ended_by_door(const struct server *serve)
{
    static const char name[] = "\ncrier_door_slow_total ";
    struct http *h = http_new(&(struct http_options){.connect_ms = 5000, .timeout_ms = 60000});
    struct http_reply reply = HTTP_REPLY_INIT;
    const char *at;
    char url[200];
    struct error err;
    long count;

    snprintf(url, sizeof url, "http://127.0.0.1:%d/metrics", server_port(serve));
    if (!http_send(h, &(struct http_request){.method = "GET", .url = url}, &reply, &err))
        fail_msg("%s", err.text);
    at = strstr(reply.body.data, name);
    assert_non_null(at);
    count = atol(at + strlen(name));
    buf_release(&reply.body);
    http_free(h);
    return count;
}

/* Asks for so much at a time that no buffer holds it. */
static struct reader ask_for_much(const struct server *serve, int per_ms)
{
    static const char ask[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct reader r = {.socket = raw_connect(serve, NULL, WAIT_S), .per_ms = per_ms, .since_ms = clock_monotonic_ms()};
    int small = 64 * 1024;

    setsockopt(r.socket, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (int i = 0; i < ASKED; i++)
        assert_int_equal(send(r.socket, ask, sizeof ask - 1, MSG_NOSIGNAL), sizeof ask - 1);
    return r;
}

/* What it would have read by now, also on a machine that lets it wait. False: the connection is over. */
static bool read_on(struct reader *r)
{
    char bytes[4096];
    ssize_t got = 1;

    while (got > 0) {
        int64_t due = (clock_monotonic_ms() - r->since_ms) * r->per_ms - r->bytes;

        if (due <= 0)
            return true;
        got = recv(r->socket, bytes, due < 4096 ? (size_t)due : sizeof bytes, MSG_DONTWAIT);
        r->bytes += got > 0 ? got : 0;
        for (ssize_t i = 0; i < got; i++)
            r->answers += bytes[i] == '{';
    }
    return got < 0 && errno == EAGAIN;
}

/* What was under way still comes; then there is an end. */
static bool is_over(const struct reader *r)
{
    char bytes[4096];
    ssize_t got;

    while ((got = recv(r->socket, bytes, sizeof bytes, 0)) > 0)
        ;
    return got == 0 || errno != EAGAIN;
}

static void who_reads_too_slowly_is_ended_and_who_reads_well_is_not(void **state)
{
    const struct server *serve = ((struct stage *)*state)->serve;
    struct reader hardly = ask_for_much(serve, HARDLY), well = ask_for_much(serve, WELL);
    int64_t until_ms = clock_monotonic_ms() + ENDED_WITHIN_MS, look_ms = 0;

    while (look_ms > clock_monotonic_ms() || ended_by_door(serve) == 0) {
        if (look_ms <= clock_monotonic_ms())
            look_ms = clock_monotonic_ms() + LOOK_EVERY_MS;
        if (clock_monotonic_ms() > until_ms)
            fail_msg("it is not ended, after %lld bytes", (long long)hardly.bytes);
        read_on(&hardly);
        assert_true(read_on(&well) || well.bytes >= ALL_BYTES_LEAST); /* it may have had all, and be idle since */
        pause_ms(5);
    }
    print_message("ended after %lld ms and %lld bytes\n", (long long)(clock_monotonic_ms() - hardly.since_ms),
                  (long long)hardly.bytes);
    while (well.bytes < ALL_BYTES_LEAST) { /* all of it comes to who goes on */
        if (!read_on(&well))
            fail_msg("who reads well is ended after %lld bytes", (long long)well.bytes);
        pause_ms(5);
    }
    assert_true(is_over(&hardly));
    assert_int_equal(ended_by_door(serve), 1);
    close(hardly.socket);
    close(well.socket);
}

/* Bytes are on their way to it at each moment, as to who is far away. */
static void who_is_always_behind_but_keeps_up_with_what_there_is_goes_on(void **state)
{
    static const char ask[] = "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n";
    const struct server *serve = ((struct stage *)*state)->serve;
    struct reader r = {.socket = raw_connect(serve, NULL, WAIT_S), .per_ms = STEADY};
    int small = 1, asked = 0;

    setsockopt(r.socket, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    r.since_ms = clock_monotonic_ms();
    while (clock_monotonic_ms() - r.since_ms < STEADY_MS) {
        for (; asked < r.answers + STEADY_BEHIND; asked++)
            assert_int_equal(send(r.socket, ask, sizeof ask - 1, MSG_NOSIGNAL), sizeof ask - 1);
        if (!read_on(&r))
            fail_msg("it is ended after %lld bytes", (long long)r.bytes);
        pause_ms(5);
    }
    print_message("took %d answers, %lld bytes\n", r.answers, (long long)r.bytes);
    assert_true(r.answers > 2 * STEADY_BEHIND);
    assert_int_equal(ended_by_door(serve), 0);
    close(r.socket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_reads_too_slowly_is_ended_and_who_reads_well_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_always_behind_but_keeps_up_with_what_there_is_goes_on, setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
