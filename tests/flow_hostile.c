/*
 * What a stranger may send to the door: garbage, bodies without end, bombs, senders that stop halfway. Each is refused
 * or cut off; the service goes on answering others, and its memory stays flat.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "support/message.h"
#include "support/raw_client.h"
#include "support/scene.h"
#include "support/usage.h"

enum {
    WAIT_S = 60,       /* for an answer: a machine under load, with sanitizers */
    CONNECTIONS = 400, /* [http] connections, below */
    MANY = 100000,
    NEVER_MIB = 64, /* of a body, that the door reads or the sockets hold */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GROWTH_MOST_KIB = 256 * 1024, /* freed memory is kept for a while, and all memory has a shadow */
#else
    GROWTH_MOST_KIB = 32 * 1024,
#endif
};

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\nevent = 2MiB\nbatch = 4MiB\nconnections = 400\nidle = 10s\n"
                          "[queue q]\nevents = user.*\n"
                          "[handler trail]\ntype = audit\nqueue = q\nschedule = every 100ms\n";

#define POST       "POST /events HTTP/1.1\r\nHost: localhost\r\n"
#define STRUCTURED POST "Content-Type: application/cloudevents+json\r\n"
#define LINES      POST "Content-Type: application/x-ndjson\r\n"
#define WITH(data)                                                                                                     \
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"user.updated\",\"data\":" data "}"
#define BYTES(x) x, sizeof(x) - 1

struct stage {
    struct scene *scene;
    struct server *serve;
    long before_kib;
};

static int group_setup(void **state)
{
    static struct stage st;

    st.scene = scene_open(ini);
    st.serve = crier_serve_start(st.scene->config_path);
    st.before_kib = (long)usage_of(server_pid(st.serve)).now_kib;
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

/* ---------------------------------------------------------------------------------------------- a raw connection */

static int connect_from(const struct stage *st, const char *address)
{
    return raw_connect(st->serve, address, WAIT_S);
}

/* Sends bytes, which the door need not read to their end, and reads its answer. */
static int exchange(const struct stage *st, const char *bytes, size_t length, bool half_closed,
                    char text[RAW_REPLY_BYTES])
{
    int fd = connect_from(st, NULL), status;

    socket_send(fd, bytes, length);
    if (half_closed)
        shutdown(fd, SHUT_WR);
    status = raw_reply(fd, text);
    close(fd);
    return status;
}

static int post(const struct stage *st, const char *head, const char *body, size_t length, char text[RAW_REPLY_BYTES])
{
    struct buf request = BUF_INIT;
    int status;

    buf_printf(&request, "%sContent-Length: %zu\r\n\r\n", head, length);
    buf_add(&request, body, length);
    status = exchange(st, request.data, request.length, false, text);
    buf_release(&request);
    return status;
}

/* From another address, as one sender may not use up all connections. */
static void answers_others(const struct stage *st)
{
    int64_t start_ms = clock_monotonic_ms();
    int fd = connect_from(st, "127.0.0.2");
    char text[RAW_REPLY_BYTES];

    assert_true(socket_send(fd, BYTES("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    assert_int_equal(raw_reply(fd, text), 200);
    close(fd);
    assert_in_range(clock_monotonic_ms() - start_ms, 0, 20000);
}

/* After each test. */
static int is_unharmed(void **state)
{
    struct stage *st = *state;
    long peak_kib = (long)usage_of(server_pid(st->serve)).peak_kib;

    answers_others(st);
    print_message("peak %ld KiB above %ld\n", peak_kib - st->before_kib, st->before_kib);
    return peak_kib - st->before_kib < GROWTH_MOST_KIB ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------------------ the tests */

struct sent {
    const char *bytes;
    size_t length;
    int status;
    const char *says; /* in the answer */
};

static void what_is_no_http_or_doubtful_is_refused(void **state)
{
    static const struct sent all[] = {
        {BYTES("GET /health/live\r\n\r\n"),                                                    400, ""           },
        {BYTES("\r\n\r\n\x01\x02\x03 /\r\n\r\n"),                                              400, ""           },
        {BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),                                            505, ""           },
        {BYTES("GET /health/live HTTP/1.1\r\n\r\n"),                                           400, ""           },
        {BYTES(STRUCTURED "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, "contradict" },
        {BYTES(STRUCTURED "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),              400, "contradict" },
        {BYTES(STRUCTURED "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),                     400, "contradict" },
        {BYTES(STRUCTURED "Content-Length: -1\r\n\r\n"),                                       400, ""           },
        {BYTES(STRUCTURED "Content-Length: 0x10\r\n\r\n"),                                     400, ""           },
        {BYTES(STRUCTURED "Content-Length: 18446744073709551616\r\n\r\n"),                     413, ""           },
        {BYTES(STRUCTURED "Content-Length: 1073741824\r\n\r\n"),                               413, "longer than"},
        {BYTES(STRUCTURED "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),                         400, ""           },
        {BYTES(STRUCTURED "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),         413, ""           },
        {BYTES("BREW /events HTTP/1.1\r\nHost: localhost\r\n\r\n"),                            405, "POST"       },
        {BYTES("GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n"),                   404, "nothing"    },
        {BYTES(POST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"),                415, "must be"    },
        {BYTES(POST "Content-Length: 2\r\n\r\n{}"),                                            415, "must be"    },
        {BYTES(STRUCTURED "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}"),              415, "gzip"       },
    };
    char text[RAW_REPLY_BYTES];

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        int status = exchange(*state, all[i].bytes, all[i].length, false, text);

        if (status != all[i].status || !strstr(text, all[i].says))
            fail_msg("%s\nis answered\n%s", all[i].bytes, text);
    }
}

static void bad_json_is_refused_with_its_place(void **state)
{
    static const struct sent all[] = {
        {BYTES(""),                                   400, "byte 0"                },
        {BYTES("\x00"),                               400, "byte 1"                },
        {BYTES(WITH("{\"a\":1,\"a\":2}")),            400, "(byte 83): duplicate"  },
        {BYTES(WITH("{\"a\":\"\xc0\xaf\"}")),         400, "(byte 79)"             },
        {BYTES(WITH("{\"a\":\"\xed\xa0\x80\"}")),     400, "(byte 79)"             },
        {BYTES(WITH("{\"a\":\"\\ud800\"}")),          400, "(byte 86)"             },
        {BYTES(WITH("{\"a\":\"\\u0000\"}")),          400, "(byte 86)"             },
        {BYTES(WITH("{\"a\":\"x\0y\"}")),             400, "(byte 80)"             },
        {BYTES(WITH("{\"a\":1e400}")),                400, "(byte 83)"             },
        {BYTES(WITH("{\"a\":99999999999999999999}")), 400, "(byte 98)"             },
        {BYTES(WITH("{\"a\":NaN}")),                  400, "(byte 81)"             },
        {BYTES(WITH("{}") "{}"),                      400, "(byte 77): end of file"},
        {BYTES(WITH("[1]")),                          400, "data must be"          },
    };
    char text[RAW_REPLY_BYTES];

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        int status = post(*state, STRUCTURED, all[i].bytes, all[i].length, text);

        if (status != all[i].status || !strstr(text, all[i].says))
            fail_msg("%s\nis answered\n%s", all[i].bytes, text);
    }
}

static void a_million_levels_cost_nothing(void **state)
{
    struct buf deep = BUF_INIT;
    char text[RAW_REPLY_BYTES];

    for (int i = 0; i < 1000000; i++)
        buf_add_char(&deep, '[');
    assert_int_equal(post(*state, STRUCTURED, deep.data, deep.length, text), 400);
    assert_non_null(strstr(text, "nested deeper than 64 levels at byte 65"));
    assert_int_equal(post(*state, LINES, deep.data, deep.length, text), 400);
    assert_non_null(strstr(text, "line 1: nested deeper"));
    buf_release(&deep);
}

static void heads_without_end_are_refused(void **state)
{
    struct buf address = BUF_INIT, headers = BUF_INIT, trailers = BUF_INIT;
    char text[RAW_REPLY_BYTES];

    buf_add_text(&address, "GET /");
    for (int i = 0; i < 65536; i++)
        buf_add_char(&address, 'a');
    buf_add_text(&headers, POST);
    buf_add_text(&trailers, STRUCTURED "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n");
    for (int i = 0; i < MANY; i++) {
        buf_printf(&headers, "ce-%d: x\r\n", i);
        buf_printf(&trailers, "T%d: x\r\n", i);
    }
    assert_int_equal(exchange(*state, address.data, address.length, false, text), 414);
    assert_int_equal(exchange(*state, headers.data, headers.length, false, text), 431);
    assert_int_equal(exchange(*state, trailers.data, trailers.length, false, text), 431);
    buf_release(&address);
    buf_release(&headers);
    buf_release(&trailers);
}

static void a_body_without_end_is_cut_off(void **state)
{
    static char piece[8 + (1 << 20) + 2];
    int fd = connect_from(*state, NULL), sent_mib = 0;

    memset(piece, 'x', sizeof piece);
    memcpy(piece, "100000\r\n", 8);
    memcpy(piece + sizeof piece - 2, "\r\n", 2);
    assert_true(socket_send(fd, BYTES(LINES "Transfer-Encoding: chunked\r\n\r\n")));
    while (sent_mib < NEVER_MIB && socket_send(fd, piece, sizeof piece))
        sent_mib++;
    close(fd);
    assert_true(sent_mib < NEVER_MIB); /* the batch is 4 MiB, and the sockets hold some */
}

/* So many bytes of nothing, packed. */
static void pack(struct buf *out, size_t length)
{
    z_stream z = {0};
    char *nothing = calloc(1, length);

    assert_non_null(nothing);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)nothing;
    z.avail_in = (unsigned)length;
    z.avail_out = (unsigned)deflateBound(&z, length);
    z.next_out = (unsigned char *)buf_grow(out, z.avail_out);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_grown(out, z.total_out);
    deflateEnd(&z);
    free(nothing);
}

static void packed_bodies_are_measured_unpacked(void **state)
{
    static const char packed[] = LINES "Content-Encoding: gzip\r\n";
    struct buf bomb = BUF_INIT, small = BUF_INIT;
    char text[RAW_REPLY_BYTES];

    pack(&bomb, 256 << 20);
    pack(&small, 1000);
    assert_in_range(bomb.length, 1, 1 << 20);
    assert_int_equal(post(*state, packed, bomb.data, bomb.length, text), 413);
    assert_int_equal(post(*state, packed, small.data, small.length - 5, text), 400);
    assert_non_null(strstr(text, "cut short"));
    assert_int_equal(post(*state, packed, BYTES("hello"), text), 400);
    buf_release(&bomb);
    buf_release(&small);
}

/* A good event with a few bytes changed may be another good one; it is never more than refused. */
static void random_bytes_are_never_more_than_refused(void **state)
{
    char bytes[2000], text[RAW_REPLY_BYTES];
    struct stage *st = *state;

    srand(20261120);
    for (int round = 0; round < 300; round++) {
        int length = 1 + rand() % ((int)sizeof bytes - 4), status;

        for (int i = 0; i < length; i++)
            bytes[i] = (char)rand();
        if (round % 3 == 0) {
            memcpy(bytes + length, "\r\n\r\n", 4); /* else the door waits for more */
            status = exchange(st, bytes, (size_t)length + 4, true, text);
        } else if (round % 3 == 1) {
            status = post(st, LINES, bytes, (size_t)length, text);
        } else {
            char event[] = WITH("{\"a\":[1,2,{\"b\":\"c\"}]}");

            for (int i = 0; i < 3; i++)
                event[rand() % (int)(sizeof event - 1)] = bytes[i % length];
            status = post(st, STRUCTURED, event, sizeof event - 1, text);
        }
        if (status != RAW_CUT_OFF && status != 202 && (status < 400 || status > 499))
            fail_msg("round %d is answered %s", round, text);
    }
}

static void a_thousand_requests_at_once_are_all_answered(void **state)
{
    struct buf requests = BUF_INIT, replies = BUF_INIT;
    int fd = connect_from(*state, NULL), answered = 0;

    for (int i = 0; i < 1000; i++) {
        char event[200];
        int length =
            snprintf(event, sizeof event,
                     "{\"specversion\":\"1.0\",\"id\":\"p%d\",\"source\":\"/s\",\"type\":\"user.updated\"}", i);

        buf_printf(&requests, STRUCTURED "Content-Length: %d\r\n\r\n%s", length, event);
    }
    assert_true(socket_send(fd, requests.data, requests.length));
    while (answered < 1000) {
        const char *at;
        ssize_t got = recv(fd, buf_grow(&replies, 65536), 65536, 0);

        if (got <= 0)
            fail_msg("%d of 1000 are answered", answered);
        buf_grown(&replies, (size_t)got);
        for (answered = 0, at = replies.data; (at = strstr(at, "HTTP/1.1 202")); at++)
            answered++;
    }
    close(fd);
    buf_release(&requests);
    buf_release(&replies);
}

static void two_thousand_idle_connections_leave_room_for_others(void **state)
{
    int count = raw_connections_allow(2000), *idle = calloc((size_t)count, sizeof *idle);

    assert_non_null(idle);
    assert_true(count > CONNECTIONS);
    for (int i = 0; i < count; i++)
        idle[i] = connect_from(*state, NULL);
    answers_others(*state);
    for (int i = 0; i < count; i++)
        close(idle[i]);
    free(idle);
}

static void senders_that_stop_halfway_hold_nobody_up_and_are_sent_away(void **state)
{
    enum { COUNT = 200 };
    int halfway[COUNT];
    char text[RAW_REPLY_BYTES];

    for (int i = 0; i < COUNT; i++) {
        halfway[i] = connect_from(*state, NULL);
        assert_true(socket_send(halfway[i], BYTES(LINES "Content-Length: 1000\r\n\r\n{\"specversion\":")));
        if (i % 2 == 0)
            shutdown(halfway[i], SHUT_WR);
    }
    answers_others(*state);
    for (int i = 0; i < COUNT; i++) { /* [http] idle is 10 s */
        int status = raw_reply(halfway[i], text);

        assert_true(status == RAW_CUT_OFF || status == 408 || status == 400);
        close(halfway[i]);
    }
}

#define HOSTILE(test) cmocka_unit_test_teardown(test, is_unharmed)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTILE(what_is_no_http_or_doubtful_is_refused),
        HOSTILE(bad_json_is_refused_with_its_place),
        HOSTILE(a_million_levels_cost_nothing),
        HOSTILE(heads_without_end_are_refused),
        HOSTILE(a_body_without_end_is_cut_off),
        HOSTILE(packed_bodies_are_measured_unpacked),
        HOSTILE(random_bytes_are_never_more_than_refused),
        HOSTILE(a_thousand_requests_at_once_are_all_answered),
        HOSTILE(two_thousand_idle_connections_leave_room_for_others),
        HOSTILE(senders_that_stop_halfway_hold_nobody_up_and_are_sent_away),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
