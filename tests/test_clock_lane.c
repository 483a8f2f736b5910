/* A handler that runs by the clock: one run at a time, whoever asks. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "scheduler/clock_lane.h"
#include "scheduler/lease.h"
#include "support/scene.h"

enum { PATIENCE_MS = 60000 };

struct stage {
    struct scene *scene;
    struct stop *stop;
    struct clock_lane *one, *other;
};

static struct clock_lane *lane_open(struct stage *st, const char *process)
{
    struct error err;
    struct clock_lane *l =
        clock_lane_new(st->scene->settings, settings_handler(st->scene->settings, "daily"), process, st->stop, &err);

    if (!l)
        fail_msg("%s", err.text);
    return l;
}

static int setup(void **state)
{
    struct stage *st = calloc(1, sizeof *st);

    assert_non_null(st);
    st->scene = scene_open("[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                           "[queue q]\nevents = record-view\n"
                           "[handler views]\ntype = statistics\nqueue = q\nindex = views-{time:%Y-%m}\n"
                           "[handler daily]\ntype = aggregate\nqueue = q\nof = views\nfield = recid\n"
                           "index = daily-{time:%Y-%m}\nalias = daily\n");
    st->stop = stop_new();
    st->one = lane_open(st, "one");
    st->other = lane_open(st, "other");
    *state = st;
    return 0;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    clock_lane_free(st->one);
    clock_lane_free(st->other);
    stop_free(st->stop);
    scene_close(st->scene);
    free(st);
    return 0;
}

static bool nothing(struct handler *h, struct clock_run *run, void *context, struct error *err)
{
    (void)h;
    (void)run;
    (void)err;
    ++*(int *)context;
    return true;
}

static bool ask_the_other(struct handler *h, struct clock_run *run, void *context, struct error *err)
{
    struct stage *st = context;
    bool elsewhere = false;
    int runs = 0;

    (void)h;
    assert_true(run->may_go_on(run, err));
    assert_true(clock_lane_work(st->other, 0, nothing, &runs, &elsewhere, err));
    assert_true(elsewhere);
    assert_int_equal(runs, 0);
    return true;
}

static void while_one_runs_the_other_is_told_so(void **state)
{
    struct stage *st = *state;
    struct error err;
    bool elsewhere;
    int runs = 0;

    assert_true(clock_lane_work(st->one, 0, ask_the_other, st, &elsewhere, &err));
    assert_false(elsewhere);
    assert_true(clock_lane_work(st->other, 0, nothing, &runs, &elsewhere, &err)); /* the lease was given back at once */
    assert_false(elsewhere);
    assert_int_equal(runs, 1);
}

/* Longer than a lease that nobody renews; meanwhile the next one waits in a thread of its own. */
enum { LONG_RUN_MS = LEASE_MS + 2000 };

struct next {
    struct stage *stage;
    pthread_t thread;
    atomic_bool over;
    const char *trouble; /* once the thread is joined */
};

static bool note_over(struct handler *h, struct clock_run *run, void *context, struct error *err)
{
    (void)h;
    (void)run;
    (void)err;
    atomic_store(&((struct next *)context)->over, true);
    return true;
}

static void *wait_for_turn(void *context)
{
    struct next *n = context;
    struct error err;
    bool elsewhere = true;

    if (!clock_lane_work(n->stage->other, LONG_RUN_MS + PATIENCE_MS, note_over, n, &elsewhere, &err) || elsewhere)
        n->trouble = "its turn never came";
    return NULL;
}

static bool run_for_long(struct handler *h, struct clock_run *run, void *context, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + LONG_RUN_MS;
    struct next *n = context;
    bool ok = true;

    (void)h;
    assert_int_equal(pthread_create(&n->thread, NULL, wait_for_turn, n), 0);
    while (ok && clock_monotonic_ms() < until_ms) {
        ok = run->may_go_on(run, err) && !atomic_load(&n->over);
        stop_sleep(n->stage->stop, 10);
    }
    return ok;
}

static void a_long_run_keeps_its_lease_and_the_next_waits_for_its_turn(void **state)
{
    struct stage *st = *state;
    struct next n = {.stage = st};
    struct error err;
    bool elsewhere;

    if (!clock_lane_work(st->one, 0, run_for_long, &n, &elsewhere, &err))
        fail_msg("%s", err.text);
    pthread_join(n.thread, NULL);
    assert_null(n.trouble);
    assert_true(atomic_load(&n.over));
}

static bool be_robbed(struct handler *h, struct clock_run *run, void *context, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct stage *st = context;

    (void)h;
    assert_true(run->may_go_on(run, err));
    scene_redis(st->scene, "SET crier:{lease:handler:daily}:holder %s", "1-somebody");
    while (clock_monotonic_ms() < until_ms)
        if (!run->may_go_on(run, err))
            return false;
    fail_msg("not noticed");
    return true;
}

static void a_run_whose_lease_another_took_hears_so(void **state)
{
    struct stage *st = *state;
    struct error err;
    bool elsewhere;

    assert_false(clock_lane_work(st->one, 0, be_robbed, st, &elsewhere, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_non_null(strstr(err.text, "lease was lost"));
    assert_string_equal(scene_redis(st->scene, "GET crier:{lease:handler:daily}:holder")->text, "1-somebody");
}

static bool be_stopped(struct handler *h, struct clock_run *run, void *context, struct error *err)
{
    (void)h;
    stop_raise(((struct stage *)context)->stop);
    return run->may_go_on(run, err);
}

static void a_stop_ends_a_run_at_its_next_page(void **state)
{
    struct stage *st = *state;
    struct error err;
    bool elsewhere;

    assert_false(clock_lane_work(st->one, 0, be_stopped, st, &elsewhere, &err));
    assert_non_null(strstr(err.text, "stopped before the end"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(while_one_runs_the_other_is_told_so, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_run_keeps_its_lease_and_the_next_waits_for_its_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_whose_lease_another_took_hears_so, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_ends_a_run_at_its_next_page, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
