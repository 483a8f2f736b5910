/*
 * What is said of a target that fails, kill by kill: at each message between crier and Redis that is about the event,
 * crier ends at once (SIGKILL). In the end the event is there, and there once.
 */
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
#include "support/hook_server.h"
#include "support/scene.h"
#include "support/step_proxy.h"
#include "support/webhook_stage.h"

enum { PATIENCE_MS = 60000, LOOK_AGAIN_US = 5000, STEPS_LEAST = 2, STEPS_MOST = 20, FAILING_HOURS = 61 };

struct stage {
    struct scene *scene;
    struct hook_server *target;
    struct step_proxy *proxy;
    struct server *serve;
    char config_path[320];
    int events;
};

/* The same configuration, but with the proxy in the place of Redis. */
static void write_config(struct stage *s)
{
    char direct[40], by_proxy[40], *text;
    struct buf own = BUF_INIT;
    struct error err;

    snprintf(direct, sizeof direct, "127.0.0.1:%d", server_port(s->scene->redis_server));
    snprintf(by_proxy, sizeof by_proxy, "127.0.0.1:%d", step_proxy_port(s->proxy));
    if (!file_read(s->scene->config_path, 1 << 20, &own, &err))
        fail_msg("%s", err.text);
    text = scene_replaced(own.data, direct, by_proxy);
    snprintf(s->config_path, sizeof s->config_path, "%s/steps.ini", test_folder());
    if (!file_replace(s->config_path, 0600, text, strlen(text), &err))
        fail_msg("%s", err.text);
    free(text);
    buf_release(&own);
}

static struct stage *stage_open(const char *answer)
{
    struct stage *s = xcalloc(1, sizeof *s);
    char ini[600];

    s->target = hook_server_start("127.0.0.1");
    hook_server_answer(s->target, answer);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\ntimeout = 2s\n[http]\nlisten = 127.0.0.1:0\n[queue changes]\nevents = record.*\n"
             "[handler trail]\ntype = audit\nqueue = changes\nindex =\n"
             "[handler out]\ntype = webhook\nqueue = changes\nschedule = every 100ms\nhttp = yes\nports = %d\n"
             "allow = 127.0.0.0/8\nurl = http://127.0.0.1:%d/\nsecret = " WEBHOOK_SECRET "\n",
             hook_server_port(s->target), hook_server_port(s->target));
    s->scene = scene_open(ini);
    s->proxy = step_proxy_start(server_port(s->scene->redis_server));
    write_config(s);
    return s;
}

static void stage_close(struct stage *s)
{
    server_free(s->serve);
    step_proxy_free(s->proxy);
    scene_close(s->scene);
    hook_server_free(s->target);
    free(s);
}

static void serve_no_more(struct stage *s)
{
    if (s->serve)
        kill(server_pid(s->serve), SIGKILL);
    server_free(s->serve);
    s->serve = NULL;
}

static void serve_anew(struct stage *s)
{
    serve_no_more(s);
    s->serve = crier_serve_start(s->config_path);
}

/* One more attempt, which fails. */
static void emit(struct stage *s)
{
    struct event e = scene_event(s->scene, "record.published", arena_printf(s->scene->arena, "e%d", s->events++),
                                 "records/1", 1, "{}");

    scene_append(s->scene, &e, 1);
}

/* A new time of trouble; nothing waits from the one before. */
static void begin_failing(struct stage *s)
{
    scene_redis(s->scene, "DEL crier:{webhooks}:target:out crier:{webhooks}:due:out");
    scene_redis(s->scene, "HSET crier:{webhooks}:target:out failing_us %lld",
                (long long)(clock_wall_us() - INT64_C(3600) * FAILING_HOURS * US_PER_SECOND));
}

static size_t said(struct stage *s, const char *type)
{
    const struct reply *entries = scene_redis(s->scene, "XRANGE crier:{changes}:stream - +");
    size_t count = 0;

    for (size_t i = 0; i < entries->count; i++)
        count += strcmp(reply_field_text(&entries->items[i].items[1], "type"), type) == 0;
    return count;
}

/* Until crier has noted that it said so, or is killed before. True: it is noted. */
static bool noted(struct stage *s, const char *note)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (scene_redis(s->scene, "HEXISTS crier:{webhooks}:target:out %s", note)->integer == 0) {
        if (step_proxy_struck(s->proxy))
            return false;
        if (clock_monotonic_ms() > until_ms)
            fail_msg("nothing is noted as %s", note);
        usleep(LOOK_AGAIN_US);
    }
    return !step_proxy_struck(s->proxy);
}

/* Whether crier was killed on the way. */
static bool fail_with_kill_at(struct stage *s, int64_t step, const char *type, const char *note)
{
    const char *const words[] = {type, NULL};

    serve_no_more(s); /* who still is at the attempts of before would note what is begun here */
    begin_failing(s);
    serve_anew(s);
    step_proxy_arm(s->proxy, step, words, server_pid(s->serve));
    emit(s);
    noted(s, note);
    if (!step_proxy_disarm(s->proxy))
        return false;
    serve_anew(s);
    emit(s);
    assert_true(noted(s, note));
    return true;
}

static void expect_said_once_at_each_step(const char *answer, const char *type, const char *note)
{
    struct stage *s = stage_open(answer);
    int64_t step = 1;

    while (step < STEPS_MOST && fail_with_kill_at(s, step, type, note)) {
        if (said(s, type) != (size_t)step)
            fail_msg("after a kill at step %d: %zu rather than %d of %s", (int)step, said(s, type), (int)step, type);
        step++;
    }
    assert_int_equal(said(s, type), step);
    assert_in_range(step, STEPS_LEAST + 1, STEPS_MOST - 1);
    print_message("%s: killed at each of %d steps\n", type, (int)step - 1);
    stage_close(s);
}

static void a_warning_to_the_owner_outlives_every_kill_and_comes_once(void **state)
{
    (void)state;
    expect_said_once_at_each_step("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "crier.webhook.failing", "told");
}

static void that_it_is_turned_off_outlives_every_kill_and_comes_once(void **state)
{
    (void)state;
    expect_said_once_at_each_step("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", "crier.webhook.disabled", "off");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_warning_to_the_owner_outlives_every_kill_and_comes_once),
        cmocka_unit_test(that_it_is_turned_off_outlives_every_kill_and_comes_once),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
