/* `crier emit --wait`: the program that sends events hears what became of them, by its exit status too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "support/post_server.h"
#include "support/scene.h"

struct stage {
    struct scene *scene;
    struct post_server *endpoint;
    struct server *serve; /* NULL: nobody works */
    char *out;
};

/* What is told of by record.* it refuses. */
static void answer(void *context, const struct post_request *request, struct post_reply *reply)
{
    (void)context;
    reply->status = strstr(request->body, "record.updated") ? 400 : 204;
}

/* The handler's own time comes once, and then not before the test is long over. */
static void open_stage(void **state, bool works)
{
    struct stage *s = xcalloc(1, sizeof *s);
    char ini[600];

    s->endpoint = post_server_start(answer, NULL);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue changes]\nevents = user.* record.*\n"
             "[queue nobody]\nevents = language.*\n"
             "[handler platform]\ntype = post\nqueue = changes\nurl = %s/events\nschedule = every 10m\n",
             post_server_url(s->endpoint));
    s->scene = scene_open(ini);
    s->serve = works ? crier_serve_start(s->scene->config_path) : NULL;
    *state = s;
}

static int setup(void **state)
{
    open_stage(state, true);
    return 0;
}

static int setup_without_workers(void **state)
{
    open_stage(state, false);
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;

    server_free(s->serve);
    scene_close(s->scene);
    post_server_free(s->endpoint);
    free(s->out);
    free(s);
    return 0;
}

static int emit(struct stage *s, const char *type, const char *id, const char *wait, const char *operation)
{
    const char *words[] = {"emit",   "--config", s->scene->config_path, "--json",  "--type", type, "--id", id,
                           "--wait", wait,       "--operation",         operation, NULL};

    free(s->out);
    return crier_run(&s->out, words);
}

static void assert_said(const struct stage *s, const char *text)
{
    if (!strstr(s->out, text))
        fail_msg("no %s in %s", text, s->out);
}

static void it_ends_when_all_is_done_and_no_schedule_is_waited_for(void **state)
{
    struct stage *s = *state;
    const char *show[] = {"operations", "--config", s->scene->config_path, "show", "op-2", NULL};

    assert_int_equal(emit(s, "user.updated", "e1", "60s", "op-1"), 0);
    assert_int_equal(emit(s, "user.updated", "e2", "60s", "op-2"), 0);
    assert_said(s, "\"accepted\":1");
    assert_said(s, "\"operation\":\"op-2\",\"state\":\"done\"");
    free(s->out);
    assert_int_equal(crier_run(&s->out, show), 0);
    assert_said(s, "e2");
    assert_int_equal(emit(s, "user.updated", "e2", "60s", "op-2"), 0); /* the same once more tells the same */
    assert_said(s, "\"duplicates\":1");
    assert_said(s, "\"state\":\"done\"");
    assert_int_equal(emit(s, "user.updated", "e2", "60s", "new"), 1);
    assert_said(s, "came before");
}

static void what_cannot_be_done_is_exit_status_3(void **state)
{
    struct stage *s = *state;

    assert_int_equal(emit(s, "record.updated", "e1", "60s", "new"), 3);
    assert_said(s, "\"state\":\"dead\"");
    assert_said(s, "crier operations show");
}

static void what_no_handler_wants_is_not_waited_for(void **state)
{
    struct stage *s = *state;
    int64_t began_ms = clock_monotonic_ms();

    assert_int_equal(emit(s, "language.updated", "e1", "60s", "new"), 0);
    assert_int_equal(emit(s, "licence.updated", "e1", "60s", "new"), 0);
    assert_said(s, "\"not_wanted\":1");
    assert_true(clock_monotonic_ms() - began_ms < 30000);
}

static void a_wait_that_is_over_is_exit_status_1_and_the_event_is_kept(void **state)
{
    struct stage *s = *state;
    int64_t began_ms = clock_monotonic_ms();

    assert_int_equal(emit(s, "user.updated", "e1", "700ms", "op-1"), 1);
    assert_true(clock_monotonic_ms() - began_ms >= 700);
    assert_said(s, "not done within 700ms");
    assert_said(s, "\"accepted\":1");
    assert_said(s, "\"operation\":\"op-1\",\"state\":\"waiting\"");
    s->serve = crier_serve_start(s->scene->config_path);
    assert_int_equal(emit(s, "user.updated", "e1", "60s", "op-1"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_ends_when_all_is_done_and_no_schedule_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_done_is_exit_status_3, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_handler_wants_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wait_that_is_over_is_exit_status_1_and_the_event_is_kept,
                                        setup_without_workers, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
