/* Webhooks as an operator meets them: a service that is killed, verbs, and secrets that stay what they are. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/pause.h"
#include "support/scene.h"
#include "support/serve_client.h"

#define SECRET_BASE64 CANARY CANARY CANARY
#define HEADER_CANARY CANARY "-in-a-header"
#define PATH_CANARY   "canary-in-a-path"

enum { EVENTS = 300 };

struct stage {
    struct scene *scene;
    struct hook_server *target;
    struct server *serve;
};

static struct stage *stage_open(void)
{
    struct stage *s = xcalloc(1, sizeof *s);
    char ini[1500], trail[300];

    s->target = hook_server_start("127.0.0.1");
    snprintf(trail, sizeof trail, "%s/webhooks.ndjson", test_folder());
    unlink(trail);
    snprintf(
        ini, sizeof ini,
        "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[audit]\nfile = %s\n[queue changes]\nevents = record.*\n"
        "[handler out]\ntype = webhook\nqueue = changes\nschedule = every 100ms\n"
        "url = http://127.0.0.1:%d/" PATH_CANARY "\nsecret = whsec_" SECRET_BASE64 "\nheaders = X-Key: " HEADER_CANARY
        "\nhttp = yes\nports = %d\nallow = 127.0.0.0/8\ntimeout = 10s\n"
        "[handler trail]\ntype = audit\nqueue = changes\nindex =\n",
        trail, hook_server_port(s->target), hook_server_port(s->target));
    s->scene = scene_open(ini);
    return s;
}

static void stage_close(struct stage *s)
{
    server_free(s->serve);
    scene_close(s->scene);
    hook_server_free(s->target);
    free(s);
}

static void append(struct stage *s, size_t from, size_t count)
{
    struct event events[EVENTS];

    for (size_t i = 0; i < count; i++) {
        char id[16];

        snprintf(id, sizeof id, "e%04zu", from + i);
        events[i] = scene_event(s->scene, "record.published", id, "records/1", 1, "{\"n\":1}");
    }
    scene_append(s->scene, events, count);
}

/* Runs crier with the scene's configuration; what it said is yours to free. */
static char *say(struct stage *s, int expected, const char *a, const char *b, const char *c, const char *d)
{
    const char *words[] = {a, "--config", s->scene->config_path, b, c, d, NULL};
    char *out;
    int code = crier_run(&out, words);

    if (code != expected)
        fail_msg("crier %s %s ends with %d: %s", a, b ? b : "", code, out);
    return out;
}

static void expect_said(struct stage *s, int expected, const char *wanted, const char *b, const char *c, const char *d)
{
    char *out = say(s, expected, "webhooks", b, c, d);

    if (!strstr(out, wanted))
        fail_msg("\"%s\" is not in what it said: %s", wanted, out);
    free(out);
}

/* ---------------------------------------------------------------------------------------------------- kill -9 */

/* The n-th event's webhook-id, or NULL where it never came; fails the test where it came with two ids. */
static char *id_of_event(struct stage *s, size_t n)
{
    char event[24], *first = NULL;

    snprintf(event, sizeof event, "\"id\":\"e%04zu\"", n);
    for (size_t i = 0; i < hook_server_count(s->target); i++) {
        char *id;

        if (!strstr(hook_server_body(s->target, i), event))
            continue;
        id = hook_server_header(s->target, i, "webhook-id");
        if (first)
            assert_string_equal(first, id);
        free(first);
        first = id;
    }
    return first;
}

/* Until each event came, and none waits; one that a kill made come twice stands for no other. */
static void await_all(struct stage *s)
{
    int64_t until_ms = clock_monotonic_ms() + 60000, waiting = 1;
    size_t came = 0;
    char *id;

    while (came < EVENTS || waiting > 0) {
        for (; came < EVENTS && (id = id_of_event(s, came)); came++)
            free(id);
        waiting = scene_redis(s->scene, "ZCARD crier:{webhooks}:due:out")->integer;
        if (clock_monotonic_ms() > until_ms)
            fail_msg("event %zu never came, or %lld wait", came, (long long)waiting);
        pause_ms(20);
    }
}

static void nothing_is_lost_by_a_service_that_is_killed(void **state)
{
    struct stage *s = stage_open();

    (void)state;
    s->serve = crier_serve_start(s->scene->config_path);
    for (size_t round = 0; round < 3; round++) {
        append(s, round * EVENTS / 3, EVENTS / 3);
        hook_server_await(s->target, round * EVENTS / 3 + 20);
        server_kill(s->serve);
        server_restart(s->serve);
    }
    await_all(s);
    for (size_t i = 0; i < EVENTS; i++)
        free(id_of_event(s, i)); /* one for each */
    print_message("%d events, %zu requests\n", EVENTS, hook_server_count(s->target));
    stage_close(s);
}

/* As the first start writes its port into the file, before it. */
static void copy_config(struct stage *s, char path[300])
{
    struct buf text = BUF_INIT;
    struct error err;
    FILE *file;

    snprintf(path, 300, "%s/second.ini", test_folder());
    assert_true(file_read(s->scene->config_path, 100000, &text, &err));
    assert_non_null(file = fopen(path, "w"));
    fputs(text.data, file);
    fclose(file);
    buf_release(&text);
}

static void two_services_share_a_target_and_send_each_event_once(void **state)
{
    struct stage *s = stage_open();
    struct server *second;
    char path[300];

    (void)state;
    copy_config(s, path);
    s->serve = crier_serve_start(s->scene->config_path);
    second = crier_serve_start(path);
    for (size_t i = 0; i < EVENTS; i += 10)
        append(s, i, 10);
    await_all(s);
    assert_int_equal(hook_server_count(s->target), EVENTS);
    server_stop(second);
    server_free(second);
    stage_close(s);
}

/* ------------------------------------------------------------------------------------------------------ verbs */

static void verbs_show_and_steer_a_target(void **state)
{
    struct stage *s = stage_open();

    (void)state;
    expect_said(s, 0, "127.0.0.1", "list", NULL, NULL);
    expect_said(s, 0, "200", "test", "out", NULL);
    assert_non_null(strstr(hook_server_body(s->target, 0), "crier.webhook.test"));
    expect_said(s, 0, "would be paused", "pause", "out", "--dry-run");
    expect_said(s, 0, "paused", "pause", "out", NULL);
    expect_said(s, 0, "\"state\": \"paused\"", "show", "out", "--json");
    s->serve = crier_serve_start(s->scene->config_path);
    append(s, 0, 3);
    while (scene_redis(s->scene, "ZCARD crier:{webhooks}:due:out")->integer < 3)
        pause_ms(10);
    assert_int_equal(hook_server_count(s->target), 1); /* kept, not sent */
    hook_server_answer(s->target, "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nwhy");
    expect_said(s, 0, "resumed", "resume", "out", NULL);
    hook_server_await(s->target, 4);
    while (scene_redis(s->scene, "XLEN crier:{webhooks}:attempts:out")->integer < 3)
        pause_ms(10);
    expect_said(s, 0, "\"state\": \"failing\"", "list", "--json", NULL);
    expect_said(s, 0, "\"reply\": \"why\"", "attempts", "out", "--json");
    expect_said(s, 1, "500", "test", "out", NULL);
    expect_said(s, 2, "did you mean \"out\"", "show", "ou", NULL);
    expect_said(s, 2, "say list", NULL, NULL, NULL);
    stage_close(s);
}

/* The one delivery that waits, to where this test does not see it come by itself. */
static void put_off(struct stage *s)
{
    const struct reply *waiting = scene_redis(s->scene, "ZRANGE crier:{webhooks}:due:out 0 -1");

    assert_int_equal(waiting->count, 1);
    scene_redis(s->scene, "ZADD crier:{webhooks}:due:out XX INCR %lld %s", (long long)(3600 * US_PER_SECOND),
                waiting->items[0].text);
}

static void a_delivery_that_waits_is_sent_again_at_once(void **state)
{
    struct stage *s = stage_open();
    const char *words[] = {"webhooks", "--config", NULL, "resend", "out", NULL, NULL};
    char *id, *out;

    (void)state;
    hook_server_answer(s->target, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n");
    s->serve = crier_serve_start(s->scene->config_path);
    append(s, 0, 1);
    hook_server_await(s->target, 1);
    while (scene_redis(s->scene, "XLEN crier:{webhooks}:attempts:out")->integer < 1)
        pause_ms(10);
    id = hook_server_header(s->target, 0, "webhook-id");
    put_off(s);
    words[2] = s->scene->config_path;
    words[5] = id;
    assert_int_equal(crier_run(&out, words), 0);
    free(out);
    hook_server_await(s->target, 2);
    words[5] = "msg_0";
    assert_int_not_equal(crier_run(&out, words), 0);
    assert_non_null(strstr(out, "does not wait"));
    free(out);
    free(id);
    stage_close(s);
}

/* ---------------------------------------------------------------------------------------------------- secrets */

static void expect_no_canary(const char *where, const char *text, bool path_may_show)
{
    static const char *const canaries[] = {CANARY};

    for (size_t i = 0; i < ARRAY_LENGTH(canaries); i++)
        if (strstr(text, canaries[i]))
            fail_msg("%s shows \"%s\"", where, canaries[i]);
    if (!path_may_show && strstr(text, PATH_CANARY))
        fail_msg("%s shows the path of the URL", where);
}

static void expect_no_canary_said(struct stage *s, int code, const char *a, const char *b, const char *c, const char *d)
{
    char *out = say(s, code, a, b, c, d);

    expect_no_canary(a, out, strcmp(a, "config") == 0);
    free(out);
}

static void expect_no_canary_in_file(const char *folder, const char *name)
{
    struct buf text = BUF_INIT;
    struct error err;
    char path[400];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!file_read(path, 16 * 1024 * 1024, &text, &err))
        fail_msg("%s", err.text);
    expect_no_canary(name, text.data, false);
    buf_release(&text);
}

static void expect_no_canary_on_page(struct stage *s, const char *page)
{
    struct buf text = BUF_INIT;

    assert_int_equal(serve_get(s->serve, page, NULL, &text), 200);
    expect_no_canary(page, text.data, false);
    buf_release(&text);
}

static void expect_no_canary_among_arguments(int pid)
{
    char path[60], text[4096];
    FILE *file;
    size_t length;

    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    assert_non_null(file = fopen(path, "r"));
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    for (size_t i = 0; i < length; i++)
        text[i] = text[i] ? text[i] : ' ';
    text[length] = '\0';
    expect_no_canary("the command line", text, false);
}

/* After a delivery, a failure, a reset, a target that is gone, and each verb. */
static void no_secret_is_ever_shown(void **state)
{
    struct stage *s = stage_open();
    size_t sent = 0;

    (void)state;
    s->serve = crier_serve_start(s->scene->config_path);
    append(s, 0, 1);
    hook_server_await(s->target, ++sent);
    hook_server_behave(s->target, HOOK_RESET);
    append(s, 1, 1);
    hook_server_await(s->target, ++sent);
    hook_server_behave(s->target, HOOK_ANSWER);
    hook_server_answer(s->target, "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    append(s, 2, 1);
    hook_server_await(s->target, ++sent);
    while (scene_redis(s->scene, "HEXISTS crier:{webhooks}:target:out off")->integer == 0)
        pause_ms(10);
    assert_non_null(strstr(hook_server_head(s->target, 0), HEADER_CANARY)); /* the secrets are in use */
    assert_non_null(strstr(hook_server_head(s->target, 0), PATH_CANARY));
    expect_no_canary_said(s, 0, "config", "show", NULL, NULL);
    expect_no_canary_said(s, 0, "check", NULL, NULL, NULL);
    expect_no_canary_said(s, 0, "handlers", NULL, NULL, NULL);
    expect_no_canary_said(s, 0, "webhooks", "list", NULL, NULL);
    expect_no_canary_said(s, 0, "webhooks", "list", "--json", NULL);
    expect_no_canary_said(s, 0, "webhooks", "attempts", "out", "--json");
    expect_no_canary_said(s, 1, "webhooks", "test", "out", NULL);
    expect_no_canary_on_page(s, "/metrics");
    expect_no_canary_among_arguments(server_pid(s->serve));
    server_stop(s->serve);
    expect_no_canary_in_file(server_folder(s->serve), "log");
    expect_no_canary_in_file(test_folder(), "webhooks.ndjson");
    stage_close(s);
}

static void a_mistake_in_a_secret_or_url_does_not_show_it(void **state)
{
    static const char *const wrong[] = {
        "secret = whsec_" CANARY "\nurl = https://example.org/",
        "secret = whsec_" SECRET_BASE64 "\nurl = https://user:" CANARY "@example.org/",
        "secret = whsec_" SECRET_BASE64 "\nurl = https://example.org/\nheaders = " CANARY,
        "secret = whsec_" SECRET_BASE64 "\nurl = https://example.org/\nheaders = Host: " HEADER_CANARY};
    char path[300];

    (void)state;
    snprintf(path, sizeof path, "%s/wrong.ini", test_folder());
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        const char *words[] = {"check", "--config", path, NULL};
        FILE *file = fopen(path, "w");
        char *out;

        assert_non_null(file);
        fprintf(file, "[queue q]\nevents = *.*\n[handler out]\ntype = webhook\nqueue = q\n%s\n", wrong[i]);
        fclose(file);
        assert_int_equal(crier_run(&out, words), 78);
        assert_non_null(strstr(out, "wrong.ini:"));
        expect_no_canary(wrong[i], out, true);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_by_a_service_that_is_killed),
        cmocka_unit_test(two_services_share_a_target_and_send_each_event_once),
        cmocka_unit_test(verbs_show_and_steer_a_target),
        cmocka_unit_test(a_delivery_that_waits_is_sent_again_at_once),
        cmocka_unit_test(no_secret_is_ever_shown),
        cmocka_unit_test(a_mistake_in_a_secret_or_url_does_not_show_it),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
