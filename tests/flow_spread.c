/* How a change is spread while others write the same documents: the platform, a slower process, another crier. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "handlers/spread/newest.h"
#include "scheduler/lane.h"
#include "support/fault_proxy.h"
#include "support/search_index.h"
#include "support/spread_stage.h"
#include "support/work.h"

static int setup(void **state)
{
    *state = spread_stage_open(NULL, "second_look = 1s\n");
    return 0;
}

static int setup_small_pages(void **state)
{
    *state = spread_stage_open(NULL, "page = 10\n");
    return 0;
}

static int setup_own(void **state)
{
    *state = spread_stage_open(NULL, "page = 10\nversions = own\n");
    return 0;
}

static int teardown(void **state)
{
    spread_stage_close(*state);
    return 0;
}

static void the_platforms_version_stays_and_its_next_write_is_accepted(void **state)
{
    struct scene *s = *state;

    spread_stage_load(s, 20, 2, 7);
    spread_stage_append(s, 1, 2);
    work_off(s, "members");
    assert_int_equal(spread_stage_count(s, 1, 2), 10);
    for (int i = 0; i < 20; i++)
        assert_int_equal(spread_stage_version(s, i), 7);
    assert_int_equal(spread_stage_write(s, 1, 1, 7, "as before"), 200);
    assert_int_equal(spread_stage_write(s, 3, 1, 8, "next"), 200);
    assert_int_equal(spread_stage_version(s, 3), 8);
}

static void a_document_already_at_the_revision_or_a_newer_one_is_not_written(void **state)
{
    struct scene *s = *state;
    int64_t writes;

    spread_stage_load(s, 40, 2, 7);
    spread_stage_append(s, 1, 5);
    work_off(s, "members");
    writes = index_writes(s->settings, "members");
    scene_redis(s, "FLUSHALL"); /* what is newest is not known any more: only the documents tell */
    spread_stage_append(s, 1, 4);
    spread_stage_append(s, 1, 5);
    work_off(s, "members");
    assert_int_equal(spread_stage_count(s, 1, 5), 20);
    assert_int_equal(index_writes(s->settings, "members"), writes);
}

static void an_old_event_spreads_what_is_newest(void **state)
{
    struct scene *s = *state;

    spread_stage_load(s, 4, 2, 7);
    spread_stage_append(s, 1, 5);
    work_off(s, "members");
    assert_int_equal(spread_stage_write(s, 1, 1, 7, "old"), 200);
    spread_stage_append(s, 1, 4);
    work_off(s, "members");
    assert_int_equal(spread_stage_count(s, 1, 5), 2);
}

static void the_second_look_finds_what_was_indexed_late_with_old_content(void **state)
{
    struct scene *s = *state;

    spread_stage_load(s, 20, 2, 7);
    spread_stage_append(s, 1, 2);
    work_off(s, "members");
    assert_int_equal(spread_stage_write(s, 1, 1, 7, "old"), 200);  /* a slow worker of the platform */
    assert_int_equal(spread_stage_write(s, 30, 1, 1, "old"), 201); /* and one that made a document of an old reading */
    assert_int_equal(spread_stage_count(s, 1, 2), 9);
    spread_stage_run_until(s, 1, 2, 11);
    assert_int_equal(spread_stage_version(s, 1), 7);
    assert_int_equal(spread_stage_version(s, 30), 1);
}

/* -------------------------------------------------------------------------------------------- others at the same time
 */

enum { MANY = 1500, PATIENCE_MS = 60000 };

/* As a pass does that was late before it wrote anything. */
static bool left_to_the_clock(struct scene *s)
{
    return scene_redis(s, "ZCARD crier:{changes}:mass:members")->integer > 0;
}

/* Who was at it for half a deadline, as two undid each other or the machine is slow, left the rest to the clock. */
static void assert_ends_at(struct scene *s, int revision)
{
    while (spread_stage_pending(s) > 0)
        work_off(s, "members");
    if (left_to_the_clock(s))
        spread_stage_run_until(s, 0, revision, MANY);
    assert_int_equal(spread_stage_count(s, 0, revision), MANY);
}

/* A worker of the platform that writes one document from an old reading once it was brought up to date. */
struct slow_worker {
    struct scene scene; /* past the proxy */
    struct settings past;
    atomic_bool wrote;
};

static void write_from_an_old_reading(void *context)
{
    struct slow_worker *w = context;

    if (!atomic_load(&w->wrote) && spread_stage_is(&w->scene, 0, "User 0 at 2") && !atomic_exchange(&w->wrote, true))
        spread_stage_write(&w->scene, 0, 0, 7, "old");
}

static void an_equal_version_written_over_a_new_copy_is_found_before_the_event_is_done(void **state)
{
    struct fault_proxy *proxy = fault_proxy_start(server_port(opensearch_server_start()));
    struct scene *s = spread_stage_open(fault_proxy_url(proxy), "page = 10\n");
    struct slow_worker w = {.scene = *s, .past = *s->settings};

    *state = s;
    w.past.opensearch.url = (char *)(uintptr_t)opensearch_server_url(opensearch_server_start());
    w.scene.settings = &w.past;
    spread_stage_load(s, MANY, 1, 7);
    spread_stage_append(s, 0, 2);
    fault_proxy_set(proxy,
                    &(struct fault){.path_with = "_bulk", .meanwhile = write_from_an_old_reading, .context = &w});
    work_off(s, "members");
    fault_proxy_set(proxy, NULL);
    assert_true(atomic_load(&w.wrote));
    assert_ends_at(s, 2);
    assert_int_equal(spread_stage_version(s, 0), 7);
    teardown(state);
    fault_proxy_free(proxy);
}

struct process {
    struct lane *lane;
    pthread_t thread;
};

/* A peer that is away for a moment ends a pass; the next one goes on with it. */
static void *process_main(void *context)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct process *p = context;
    struct error err;
    size_t taken;

    while (!lane_pass(p->lane, 0, &taken, &err) && clock_monotonic_ms() < until_ms)
        print_message("%s\n", err.text);
    return NULL;
}

static void wait_for_a_copy(struct scene *s, int revision)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (spread_stage_count(s, 0, revision) == 0) {
        if (left_to_the_clock(s))
            spread_stage_run(s);
        if (clock_monotonic_ms() > until_ms)
            fail_msg("no document has revision %d after %d s", revision, PATIENCE_MS / 1000);
    }
}

/* Each takes one event and spreads it while the other spreads another revision. */
static void two_processes(struct scene *s, int first, int second)
{
    struct process p[2];
    struct error err;
    size_t taken = 1;

    p[0].lane = work_open(s, "members");
    p[1].lane = lane_new(s->settings, settings_handler(s->settings, "members"), "other", 0, &err);
    assert_non_null(p[1].lane);
    work_is_alive(s, "test");
    work_is_alive(s, "other");
    spread_stage_append(s, 0, first);
    pthread_create(&p[0].thread, NULL, process_main, &p[0]);
    wait_for_a_copy(s, first);
    spread_stage_append(s, 0, second);
    pthread_create(&p[1].thread, NULL, process_main, &p[1]);
    for (int i = 0; i < 2; i++) {
        pthread_join(p[i].thread, NULL);
        while (taken > 0)
            assert_true(lane_pass(p[i].lane, 0, &taken, &err));
        taken = 1;
        lane_leave(p[i].lane);
        lane_free(p[i].lane);
    }
}

static void two_processes_with_two_revisions_end_at_the_higher_one(void **state)
{
    struct scene *s = *state;

    spread_stage_load(s, MANY, 1, 7);
    two_processes(s, 5, 9);
    assert_ends_at(s, 9);
    two_processes(s, 19, 15);
    assert_ends_at(s, 19);
}

/* A platform that counts no versions of its own: whoever wrote meanwhile is read again, and nothing of it is lost. */
struct editor {
    struct scene *scene;
    atomic_bool over;
    int edits;
};

static void *editor_main(void *context)
{
    struct editor *e = context;
    char path[200];

    snprintf(path, sizeof path, "/%smembers/_update/m%05d?retry_on_conflict=50", e->scene->settings->opensearch.prefix,
             MANY - 1);
    while (!atomic_load(&e->over)) {
        char body[60];

        snprintf(body, sizeof body, "{\"doc\":{\"edits\":%d}}", ++e->edits);
        json_decref(index_ask(e->scene->settings, "POST", path, body));
    }
    return NULL;
}

static void documents_of_our_own_are_written_only_if_nobody_wrote_them_meanwhile(void **state)
{
    struct scene *s = *state;
    struct editor e = {.scene = s};
    char *documents, wanted[40];
    pthread_t thread;

    spread_stage_load(s, MANY, 1, 7);
    spread_stage_append(s, 0, 2);
    pthread_create(&thread, NULL, editor_main, &e);
    work_off(s, "members");
    atomic_store(&e.over, true);
    pthread_join(thread, NULL);
    while (spread_stage_pending(s) > 0) /* an editor quicker than us puts the event off */
        work_off(s, "members");
    assert_int_equal(spread_stage_count(s, 0, 2), MANY);
    snprintf(wanted, sizeof wanted, "\"edits\":%d", e.edits);
    documents = index_dump(s->settings, "members");
    assert_true(strstr(documents, wanted) || e.edits == 0);
    free(documents);
}

/* Another process that hears of a newer state whenever somebody searches for the copies. */
struct restless {
    struct redis *redis;
    int moves;
};

enum { MOVES_MOST = 200 };

static void move_on(void *context)
{
    struct restless *r = context;
    struct newest *newest = newest_new(r->redis, "changes", "members", 0, 600000);
    struct changes *changes = changes_new();
    char name[40];
    json_t *data;
    struct error err;

    if (r->moves < MOVES_MOST) {
        snprintf(name, sizeof name, "name %d", ++r->moves);
        data = json_pack("{s:s}", "full_name", name);
        changes_add(changes, &(struct subject){.id = span_of("0"), .revision = REVISION_NONE, .data = data}, data,
                    clock_wall_us());
        assert_true(newest_note(newest, changes, &err));
        json_decref(data);
    }
    changes_free(changes);
    newest_free(newest);
}

static void a_subject_that_never_rests_is_left_to_the_clock(void **state)
{
    struct fault_proxy *proxy = fault_proxy_start(server_port(opensearch_server_start()));
    struct restless r = {.moves = 0};
    char ini[1000], name[40];
    struct scene *s;

    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = %s\nprefix = PREFIX\n[http]\nlisten = 127.0.0.1:0\n"
             "[queue changes]\nevents = user.*\n[handler members]\ntype = denormalize\nqueue = changes\n"
             "schedule = every 200ms\nindex = members\nmatch = user.id\ncopy = user.name<-data.full_name\n",
             fault_proxy_url(proxy));
    *state = s = scene_open(ini);
    index_delete(s->settings, "members");
    spread_stage_load(s, 3, 1, 7);
    r.redis = settings_redis(s->settings);
    spread_stage_append(s, 0, 2);
    fault_proxy_set(proxy, &(struct fault){.path_with = "_search", .meanwhile = move_on, .context = &r});
    work_off(s, "members");
    fault_proxy_set(proxy, NULL);
    assert_int_equal(spread_stage_pending(s), 0);
    assert_in_range(r.moves, 10, MOVES_MOST - 1);
    assert_true(spread_stage_run(s));
    snprintf(name, sizeof name, "name %d", r.moves);
    assert_true(spread_stage_is(s, 0, name));
    redis_free(r.redis);
    teardown(state);
    fault_proxy_free(proxy);
}

#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_platforms_version_stays_and_its_next_write_is_accepted, setup),
        TEST(a_document_already_at_the_revision_or_a_newer_one_is_not_written, setup),
        TEST(an_old_event_spreads_what_is_newest, setup),
        TEST(the_second_look_finds_what_was_indexed_late_with_old_content, setup),
        cmocka_unit_test(an_equal_version_written_over_a_new_copy_is_found_before_the_event_is_done),
        TEST(two_processes_with_two_revisions_end_at_the_higher_one, setup_small_pages),
        cmocka_unit_test(a_subject_that_never_rests_is_left_to_the_clock),
        TEST(documents_of_our_own_are_written_only_if_nobody_wrote_them_meanwhile, setup_own),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
