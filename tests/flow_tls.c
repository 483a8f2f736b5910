/*
 * TLS at the door: what it speaks, what becomes of files that change, of pairs that are wrong, and of peers that do not
 * get to their handshake's end. CRIER_RELOADS says how often the certificate is renewed under load.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "support/canary.h"
#include "support/certificates.h"
#include "support/message.h"
#include "support/pause.h"
#include "support/process.h"
#include "support/raw_client.h"
#include "support/scene.h"
#include "support/serve_client.h"

enum { PATIENCE_MS = 60000, RELOADS = 8, SENDERS = 2, SLOW = 60, SAID_BYTES = 4096 };

struct stage {
    struct scene *scene;
    struct server *serve;
    struct authority authority;
    char ca[200], pair[200], key[200];
};

static int group_setup(void **state)
{
    static struct stage st;
    char ini[1500];

    snprintf(st.ca, sizeof st.ca, "%s/ca.pem", test_folder());
    snprintf(st.pair, sizeof st.pair, "%s/door.pem", test_folder());
    snprintf(st.key, sizeof st.key, "%s/door.key", test_folder());
    authority_make(&st.authority, st.ca);
    certificate_make(&st.authority, st.pair, st.key, 90);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
             "[http]\nlisten = 127.0.0.1:0\ncertificate = %s\nprivate_key_file = %s\nheaders = 2s\n"
             "[audit]\nfile = %s/tls.ndjson\n[queue changes]\nevents = user.*\n"
             "[handler trail]\ntype = audit\nqueue = changes\nindex =\nschedule = at once\n",
             st.pair, st.key, test_folder());
    st.scene = scene_open(ini);
    st.serve = crier_serve_start_tls(st.scene->config_path, st.ca);
    *state = &st;
    return 0;
}

static int group_teardown(void **state)
{
    struct stage *st = *state;

    server_stop(st->serve);
    server_free(st->serve);
    scene_close(st->scene);
    authority_release(&st->authority);
    return 0;
}

/* --------------------------------------------------------------------------------------------------------- asking */

/* A new connection each time. The status, 0 where there is no answer; the body to out where that is not NULL. */
static long ask(const struct stage *st, const char *method, const char *path, const char *body, struct buf *out)
{
    return serve_try(st->serve, &(struct serve_request){.method = method, .path = path, .body = body}, out);
}

static long number_of(const struct stage *st, const char *metric)
{
    struct buf page = BUF_INIT;
    char line[100];
    const char *at;
    long number;

    assert_int_equal(ask(st, "GET", "/metrics", NULL, &page), 200);
    snprintf(line, sizeof line, "\n%s ", metric);
    at = strstr(page.data, line);
    if (!at)
        fail_msg("no %s in %s", metric, page.data);
    number = strtol(at + strlen(line), NULL, 10);
    buf_release(&page);
    return number;
}

/* Waits until the page holds the text, or no longer does. */
static void wait_for_page(const struct stage *st, const char *path, const char *text, bool there)
{
    struct buf page = BUF_INIT;
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    do {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s %s %s: %s", path, there ? "never has" : "keeps", text, page.data);
        pause_ms(50);
        ask(st, "GET", path, NULL, &page);
    } while (!page.length || !strstr(page.data, text) != !there);
    buf_release(&page);
}

static void wait_for_number(const struct stage *st, const char *metric, long number)
{
    char line[100];

    snprintf(line, sizeof line, "\n%s %ld\n", metric, number);
    wait_for_page(st, "/metrics", line, true);
}

/* ------------------------------------------------------------------------------------------------ what it speaks */

static bool speaks(const struct stage *st, const char *options)
{
    char *said;
    bool done = shell_run(&said,
                          "timeout 60 openssl s_client -connect 127.0.0.1:%d -CAfile %s -verify_return_error "
                          "-cipher ALL:@SECLEVEL=0 %s </dev/null",
                          server_port(st->serve), st->ca, options) == 0;

    free(said);
    return done;
}

static void only_tls_1_2_and_1_3_with_sound_ciphers_are_spoken(void **state)
{
    const struct stage *st = *state;

    assert_true(speaks(st, "-tls1_3"));
    assert_true(speaks(st, "-tls1_2"));
    assert_false(speaks(st, "-tls1_1"));
    assert_false(speaks(st, "-tls1"));
    assert_true(speaks(st, "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256"));
    assert_false(speaks(st, "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"));
    assert_false(speaks(st, "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0"));
}

static void plain_http_gets_no_answer_and_harms_nobody(void **state)
{
    static const char *const requests[] = {
        "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
        "\x16\x03\x01\x02\x00\x01 no hello at all, but long enough to look like the beginning of one",
    };
    const struct stage *st = *state;
    char answer[2000];
    ssize_t got;

    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        int fd = raw_connect(st->serve, NULL, PATIENCE_MS / 1000);

        assert_true(socket_send(fd, requests[i], strlen(requests[i])));
        shutdown(fd, SHUT_WR);
        while ((got = recv(fd, answer, sizeof answer - 1, 0)) > 0) {
            answer[got] = '\0';
            assert_null(strstr(answer, "HTTP/"));
        }
        close(fd);
        assert_int_equal(ask(st, "GET", "/health/live", NULL, NULL), 200);
    }
}

static void events_waits_and_streams_go_over_it(void **state)
{
    const struct stage *st = *state;
    struct buf body = BUF_INIT;
    char *said;

    assert_int_equal(ask(st, "POST", "/events?wait=10s&operation=op-1",
                         "{\"event_type\":\"user.updated\",\"payload\":{\"n\":1}}", &body),
                     200);
    assert_non_null(strstr(body.data, "done"));
    buf_release(&body);
    shell_run(&said,
              "for i in $(seq 30); do curl -sN --max-time 2 --cacert %s https://127.0.0.1:%d/operations/op-1/stream | "
              "grep 'data: ' && break; done",
              st->ca, server_port(st->serve));
    if (!strstr(said, "data: "))
        fail_msg("no stream: %s", said);
    free(said);
}

/* ---------------------------------------------------------------------------------------------- files that change */

struct load {
    const struct stage *st;
    atomic_bool over;
    atomic_int good, failed;
};

static void *send_on(void *context)
{
    struct load *l = context;

    while (!atomic_load(&l->over)) {
        bool good =
            ask(l->st, "POST", "/events", "{\"event_type\":\"user.updated\",\"payload\":{\"n\":2}}", NULL) == 202;

        atomic_fetch_add(good ? &l->good : &l->failed, 1);
    }
    return NULL;
}

static void the_serial_is(const struct stage *st, bool of_file)
{
    char *file, *door;

    shell_run(&file, "openssl x509 -noout -serial -in %s", st->pair);
    shell_run(&door, "openssl s_client -connect 127.0.0.1:%d </dev/null 2>/dev/null | openssl x509 -noout -serial",
              server_port(st->serve));
    assert_non_null(strstr(door, "serial="));
    if ((strcmp(file, door) == 0) != of_file)
        fail_msg("the file has %s, the door has %s", file, door);
    free(file);
    free(door);
}

static void renewing_it_again_and_again_fails_no_request(void **state)
{
    const struct stage *st = *state;
    const char *wanted = getenv("CRIER_RELOADS");
    int reloads = wanted ? atoi(wanted) : RELOADS;
    long before = number_of(st, "crier_certificate_loads_total");
    struct load l = {.st = st};
    pthread_t senders[SENDERS];

    the_serial_is(st, true);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&senders[i], NULL, send_on, &l), 0);
    for (int i = 1; i <= reloads; i++) {
        certificate_make(&st->authority, st->pair, st->key, 90);
        wait_for_number(st, "crier_certificate_loads_total", before + i);
    }
    atomic_store(&l.over, true);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    the_serial_is(st, true);
    print_message("%d reloads: %d requests good, %d failed\n", reloads, l.good, l.failed);
    assert_true(l.good > reloads);
    assert_int_equal(l.failed, 0);
}

static void write_text(const char *path, mode_t mode, const char *text)
{
    struct error err;

    if (!file_replace(path, mode, text, strlen(text), &err))
        fail_msg("%s", err.text);
}

/* Sound but for the mode of its key, at every moment from the first on. */
static void make_pair_with_open_key(const struct stage *st)
{
    char pair[220], key[220];

    snprintf(pair, sizeof pair, "%s.new", st->pair);
    snprintf(key, sizeof key, "%s.new", st->key);
    certificate_make(&st->authority, pair, key, 90);
    assert_int_equal(chmod(key, 0644), 0);
    assert_int_equal(rename(key, st->key), 0);
    assert_int_equal(rename(pair, st->pair), 0);
}

static void a_broken_pair_leaves_the_old_one_in_use_and_is_said(void **state)
{
    const struct stage *st = *state;
    long refused = number_of(st, "crier_certificate_refusals_total");
    struct buf log = BUF_INIT;
    char path[400];
    struct error err;

    write_text(st->key, 0600, "-----BEGIN PRIVATE KEY-----\n" CANARY "\n-----END PRIVATE KEY-----\n");
    wait_for_number(st, "crier_certificate_refusals_total", refused + 1);
    wait_for_page(st, "/health/ready", "is no private key in PEM", true);
    wait_for_page(st, "/health/ready", "degraded", true);
    the_serial_is(st, true);
    make_pair_with_open_key(st);
    wait_for_page(st, "/health/ready", "is open to every user of this machine", true);
    the_serial_is(st, false);
    snprintf(path, sizeof path, "%s/log", server_folder(st->serve));
    assert_true(file_read(path, 1 << 20, &log, &err));
    assert_non_null(strstr(log.data, "door.key: is no private key in PEM"));
    assert_non_null(strstr(log.data, "the one in use is kept"));
    buf_release(&log);
    chmod(st->key, 0600);
    wait_for_page(st, "/health/ready", "certificate", false);
    the_serial_is(st, true);
}

static void a_certificate_that_ends_soon_or_has_ended_is_said(void **state)
{
    const struct stage *st = *state;

    certificate_make(&st->authority, st->pair, st->key, 3);
    wait_for_number(st, "crier_certificate_days", 3);
    wait_for_page(st, "/health/ready", "in 3 days", true);
    certificate_make(&st->authority, st->pair, st->key, 90);
    wait_for_page(st, "/health/ready", "certificate", false);
    wait_for_number(st, "crier_certificate_days", 90);
}

/* -------------------------------------------------------------------------------------- handshakes without an end */

static void handshakes_that_stop_halfway_hold_nobody_up_and_are_ended(void **state)
{
    static const char begin[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    const struct stage *st = *state;
    int fds[SLOW];
    int64_t before_ms = clock_monotonic_ms(), took_ms;
    char answer[100];

    for (int i = 0; i < SLOW; i++) {
        fds[i] = raw_connect(st->serve, NULL, PATIENCE_MS / 1000);
        assert_true(socket_send(fds[i], begin, (size_t)(i % (int)sizeof begin)));
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(st, "GET", "/health/live", NULL, NULL), 200);
    took_ms = clock_monotonic_ms() - before_ms;
    assert_true(took_ms < PATIENCE_MS / 2);
    for (int i = 0; i < SLOW; i++) {
        ssize_t got = recv(fds[i], answer, sizeof answer, 0);

        if (got > 0)
            got = recv(fds[i], answer, sizeof answer, 0); /* an alert came first */
        assert_true(got == 0 || errno == ECONNRESET);     /* where it had not read all that came */
        close(fds[i]);
    }
    assert_true(clock_monotonic_ms() - before_ms >= 2000);
}

/* ------------------------------------------------------------------------------------------------- before it starts */

static void the_service_does_not_start_with_a_broken_pair_and_does_with_an_ended_one(void **state)
{
    struct stage *st = *state;
    char *said;

    server_stop(st->serve);
    write_text(st->key, 0600, "garbage");
    assert_int_equal(crier_run(&said, (const char *const[]){"serve", "--config", st->scene->config_path, NULL}), 78);
    assert_non_null(strstr(said, "[http] certificate: "));
    free(said);
    certificate_make(&st->authority, st->pair, st->key, 90);
    server_restart(st->serve);
    certificate_make(&st->authority, st->pair, st->key, -2);
    shell_run(
        &said,
        "for i in $(seq 600); do curl -sk https://127.0.0.1:%d/health/ready | grep 'ended on' && break; sleep 0.1; "
        "done",
        server_port(st->serve));
    assert_non_null(strstr(said, "ended on"));
    free(said);
    certificate_make(&st->authority, st->pair, st->key, 90);
    wait_for_page(st, "/health/ready", "certificate", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_tls_1_2_and_1_3_with_sound_ciphers_are_spoken),
        cmocka_unit_test(plain_http_gets_no_answer_and_harms_nobody),
        cmocka_unit_test(events_waits_and_streams_go_over_it),
        cmocka_unit_test(renewing_it_again_and_again_fails_no_request),
        cmocka_unit_test(a_broken_pair_leaves_the_old_one_in_use_and_is_said),
        cmocka_unit_test(a_certificate_that_ends_soon_or_has_ended_is_said),
        cmocka_unit_test(handshakes_that_stop_halfway_hold_nobody_up_and_are_ended),
        cmocka_unit_test(the_service_does_not_start_with_a_broken_pair_and_does_with_an_ended_one),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
