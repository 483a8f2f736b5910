/* What somebody waits for does not wait for what was there before, and neither is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "notifier/stream.h"
#include "support/pause.h"
#include "support/waiting.h"

/* CRIER_BACKLOG=50000 in the environment for a measurement. */
enum { BACKLOG = 10000, DEPENDENTS = 100, ROUNDS = 5, PATIENCE_MS = 300000, POLL_MS = 20, SEARCH_MS = 500 };

static int setup(void **state)
{
    struct change_stage *st =
        change_stage_open("[event users.updated]\nprofile = invenio-users\n[handler users-members]\n"
                          "source = payload\n");

    members_put(st, DEPENDENTS, 1);
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    change_stage_close(*state);
    return 0;
}

/* So that the backlog is not over before whoever looks has seen what is of interest. */
static void take_time(void *context)
{
    (void)context;
    pause_ms(SEARCH_MS);
}

static const struct fault slow = {.path_with = "_search", .meanwhile = take_time};

static int backlog_wanted(void)
{
    const char *wanted = getenv("CRIER_BACKLOG");

    return wanted && atoi(wanted) > 0 ? atoi(wanted) : BACKLOG;
}

/* So many other users have changed, of whom no document has a copy, and the first one was changed long ago. */
static void leave_backlog(struct change_stage *st)
{
    int count = backlog_wanted();
    struct event *events = calloc((size_t)count, sizeof *events);

    assert_non_null(events);
    for (int i = 0; i < count; i++) {
        char id[40], subject[40];

        snprintf(id, sizeof id, "e%d", i);
        snprintf(subject, sizeof subject, "users/%d", i < count - 1 ? i + 1000 : 0);
        events[i] = scene_event(st->scene, "users.updated", id, subject, 1, "{\"username\":\"late\",\"uuid\":\"0\"}");
    }
    scene_append(st->scene, events, (size_t)count);
    free(events);
}

static int64_t open_events(struct change_stage *st)
{
    struct queue_state state;
    struct error err;

    if (!stream_state(st->scene->redis, "users", st->scene->arena, &state, &err))
        fail_msg("%s", err.text);
    return state.group_count ? state.groups[0].waiting + state.groups[0].pending : state.length;
}

static void backlog_ends(struct change_stage *st)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (open_events(st) > 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        usleep(POLL_MS * 1000);
    }
    assert_int_equal(change_dead(st, "users"), 0);
}

static void what_is_waited_for_overtakes_a_backlog_which_is_done_after(void **state)
{
    struct change_stage *st = *state;
    int64_t left;

    leave_backlog(st);
    fault_proxy_set(st->proxy, &slow);
    change_serve(st);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t began_ms = clock_monotonic_ms(), took_ms;
        long status;
        json_t *answer = wait_tell(st, NULL, "0", 2 + i, "wait=20s", &status);

        took_ms = clock_monotonic_ms() - began_ms;
        left = open_events(st);
        print_message("answered %ld after %lld ms, %lld events before it are open\n", status, (long long)took_ms,
                      (long long)left);
        assert_int_equal(status, 200);
        assert_int_equal(wait_found(st, 2 + i), DEPENDENTS);
        json_decref(answer);
        if (i == 0)
            assert_true(left > 0); /* in turn it would have been the last */
        fault_proxy_set(st->proxy, NULL);
    }
    backlog_ends(st);
    assert_int_equal(documents_with(st, "members", "user.username", "late"), 0);
    assert_int_equal(wait_found(st, 1 + ROUNDS), DEPENDENTS);
}

/* The answer of nobody: crier is killed while it is under way. */
static void a_kill_while_it_is_waited_for_loses_neither_it_nor_the_backlog(void **state)
{
    struct change_stage *st = *state;

    leave_backlog(st);
    fault_proxy_set(st->proxy, &slow);
    for (int i = 0; i < 3; i++) {
        long status;
        json_t *answer;

        change_serve(st);
        answer = wait_tell(st, NULL, "0", 2 + i, i == 1 ? "wait=30ms" : "wait=1ms", &status);
        assert_true(status == 200 || status == 202);
        change_serve_kill(st);
        json_decref(answer);
    }
    assert_true(open_events(st) > 0);
    fault_proxy_set(st->proxy, NULL);
    change_serve(st);
    backlog_ends(st);
    assert_int_equal(documents_with(st, "members", "user.username", "name-4"), DEPENDENTS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_waited_for_overtakes_a_backlog_which_is_done_after),
        TEST(a_kill_while_it_is_waited_for_loses_neither_it_nor_the_backlog),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
