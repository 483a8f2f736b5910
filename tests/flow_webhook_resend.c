/* What was delivered, or given up, is sent again out of the history, under the id that it had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/http.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/pause.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/serve_client.h"

struct stage {
    struct scene *scene;
    struct hook_server *target;
    struct server *serve;
};

static struct stage *stage_open(bool history)
{
    struct stage *s = xcalloc(1, sizeof *s);
    struct buf ini = BUF_INIT;

    s->target = hook_server_start("127.0.0.1");
    buf_printf(&ini,
               "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"
               "[queue changes]\nevents = record.*\n"
               "[handler out]\ntype = webhook\nqueue = changes\nschedule = every 100ms\n"
               "url = http://127.0.0.1:%d/\nsecret = whsec_" CANARY CANARY CANARY "\nhttp = yes\nports = %d\n"
               "allow = 127.0.0.0/8\n%s",
               hook_server_port(s->target), hook_server_port(s->target),
               history ? "[handler past]\ntype = history\nqueue = changes\nschedule = every 100ms\n" : "");
    s->scene = scene_open(ini.data);
    buf_release(&ini);
    s->serve = crier_serve_start(s->scene->config_path);
    return s;
}

static void stage_close(struct stage *s, bool history)
{
    server_free(s->serve);
    if (history)
        index_delete(s->scene->settings, "history-*");
    scene_close(s->scene);
    hook_server_free(s->target);
    free(s);
}

/* Two events with one id, of different sources. */
static void append_two(struct stage *s)
{
    struct event events[2];

    for (int i = 0; i < 2; i++) {
        events[i] = scene_event(s->scene, "record.published", "same", "records/1", 1, i ? "{\"n\":1}" : "{\"n\":0}");
        events[i].source = span_of(i ? "second" : "first");
        events[i].unique = span_of(i ? "u1" : "u0");
    }
    scene_append(s->scene, events, 2);
}

/* Until both are delivered, and neither waits. */
static void await_delivered(struct stage *s, size_t requests)
{
    hook_server_await(s->target, requests);
    while (scene_redis(s->scene, "ZCARD crier:{webhooks}:due:out")->integer > 0)
        pause_ms(10);
}

static char *resend(struct stage *s, int expected, const char *id)
{
    const char *words[] = {"webhooks", "--config", s->scene->config_path, "resend", "out", id, NULL};
    char *out;
    int code = crier_run(&out, words);

    if (code != expected)
        fail_msg("resend ends with %d: %s", code, out);
    return out;
}

static void resend_over_http(struct stage *s, size_t request, long status)
{
    char *id = hook_server_header(s->target, request, "webhook-id"), path[120];
    struct buf text = BUF_INIT;
    long answered;

    snprintf(path, sizeof path, "/webhooks/out/resend/%s", id);
    answered = serve_ask(s->serve, &(struct serve_request){.method = "POST", .path = path, .body = "{}"}, &text);
    if (answered != status)
        fail_msg("%ld %s", answered, text.data);
    buf_release(&text);
    free(id);
}

static void what_was_delivered_is_sent_again_under_its_id(void **state)
{
    struct stage *s = stage_open(true);
    int64_t until_ms = clock_monotonic_ms() + 60000;

    (void)state;
    append_two(s);
    await_delivered(s, 2);
    while (index_count(s->scene->settings, "history-*") < 2) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(50);
    }
    for (size_t i = 0; i < 2; i++) {
        char *id = hook_server_header(s->target, i, "webhook-id"), *again;

        free(resend(s, 0, id));
        await_delivered(s, 3 + i);
        again = hook_server_header(s->target, 2 + i, "webhook-id");
        assert_string_equal(again, id);
        assert_string_equal(hook_server_body(s->target, 2 + i), hook_server_body(s->target, i));
        free(again);
        free(id);
    }
    resend_over_http(s, 0, 200);
    await_delivered(s, 5);
    assert_string_equal(hook_server_body(s->target, 4), hook_server_body(s->target, 0));
    stage_close(s, true);
}

static void without_a_history_it_says_what_would_help(void **state)
{
    struct stage *s = stage_open(false);
    char *id, *out;

    (void)state;
    append_two(s);
    await_delivered(s, 2);
    id = hook_server_header(s->target, 0, "webhook-id");
    out = resend(s, 78, id);
    if (!strstr(out, "no handler of type history keeps events"))
        fail_msg("%s", out);
    free(out);
    free(id);
    out = resend(s, 1, "msg_0");
    assert_non_null(strstr(out, "does not wait"));
    free(out);
    resend_over_http(s, 0, 400);
    assert_int_equal(hook_server_count(s->target), 2);
    stage_close(s, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_delivered_is_sent_again_under_its_id),
        cmocka_unit_test(without_a_history_it_says_what_would_help),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
