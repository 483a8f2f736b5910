/* Documents that others write or delete at the same time: the newest of each is there in the end. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/http.h"
#include "handlers/tombstone.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/fault_proxy.h"
#include "support/record_stage.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

struct intruder {
    struct scene *scene;
    int calls;
};

/* Another worker deletes, and OpenSearch forgets it, while a bulk is on its way. */
static void delete_meanwhile(void *context)
{
    struct intruder *x = context;
    struct scene *s = x->scene;
    struct redis *redis = redis_new(&(struct redis_options){&s->settings->redis.address, 5000});
    struct tombstone t = {"documents", span_of("a"), 7, false};
    struct arena *arena = arena_new();
    struct error err;
    char line[200];

    if (x->calls++ == 0) {
        assert_true(tombstones_raise(redis, "changes", &t, 1, 600000, arena, &err));
        snprintf(
            line, sizeof line,
            "{\"delete\":{\"_index\":\"%sdocuments\",\"_id\":\"a\",\"version\":7,\"version_type\":\"external_gte\"}}\n",
            s->settings->opensearch.prefix);
        index_bulk(s->settings, line);
        record_forget(s);
    }
    arena_free(arena);
    redis_free(redis);
}

static void a_write_that_a_deletion_overtook_does_not_stay(void **state)
{
    struct fault_proxy *proxy = fault_proxy_start(server_port(opensearch_server_start()));
    struct buf ini = BUF_INIT;
    struct intruder intruder = {.calls = 0};
    struct scene *s;

    buf_printf(&ini, PEERS("%s") "[handler documents]\ntype = record\nqueue = changes\nindex = documents\n",
               fault_proxy_url(proxy));
    record_stage_open(state, ini.data);
    intruder.scene = s = *state;
    fault_proxy_set(
        proxy, &(struct fault){.path_with = "_bulk", .times = 1, .meanwhile = delete_meanwhile, .context = &intruder});
    record_handle(s, "updated", "a", 6, "{\"n\":6}");
    assert_int_equal(intruder.calls, 1);
    record_documents_are(s, "");
    assert_int_equal(record_tombstone(s, "a"), 7);
    fault_proxy_set(proxy, NULL);
    index_delete(s->settings, "documents");
    scene_close(s);
    fault_proxy_free(proxy);
    buf_release(&ini);
}

/* As one leaves it that was killed between its write and the second look at the tombstone. */
static void what_a_killed_worker_wrote_too_late_goes_when_its_event_comes_again(void **state)
{
    struct scene *s = *state;

    record_handle(s, "deleted", "a", 7, NULL);
    record_forget(s);
    record_ask(s, "PUT", "/_doc/a?version=6&version_type=external&refresh=true", "{\"n\":6}");
    record_handle(s, "updated", "a", 6, "{\"n\":6}");
    record_documents_are(s, "");
}

enum { SUBJECTS = 40, REVISIONS = 8, LANES = 2 };

struct worker {
    struct scene *scene;
    int number;
};

static void *work(void *context)
{
    const struct worker *w = context;
    const struct settings *settings = w->scene->settings;
    char process[20];
    struct lane *lane;
    struct error err;
    size_t taken = 1;

    snprintf(process, sizeof process, "p%d", w->number);
    lane = lane_new(settings, settings_handler(settings, "documents"), process, 0, &err);
    while (lane && taken > 0)
        if (!lane_pass(lane, 100, &taken, &err))
            taken = 1;
    if (lane)
        lane_leave(lane);
    lane_free(lane);
    return lane;
}

static int setup_small_batches(void **state)
{
    record_stage_open(state, HANDLER("batch = 20\n"));
    return 0;
}

static void two_lanes_at_one_stream_end_with_the_newest_of_each(void **state)
{
    struct scene *s = *state;
    struct event events[SUBJECTS * REVISIONS];
    struct worker workers[LANES];
    pthread_t threads[LANES];
    struct buf expected = BUF_INIT;
    char subject[20], data[40];

    for (int i = 0; i < SUBJECTS * REVISIONS; i++) {
        int number = (i * 123) % (SUBJECTS * REVISIONS), of = number % SUBJECTS, revision = 1 + number / SUBJECTS;

        snprintf(subject, sizeof subject, "s%02d", of);
        snprintf(data, sizeof data, "{\"n\":%d}", revision);
        events[i] = record_event(s, of % 2 && revision == REVISIONS ? "deleted" : "updated", subject, revision, data);
    }
    scene_append(s, events, SUBJECTS * REVISIONS);
    for (int i = 0; i < LANES; i++) {
        workers[i] = (struct worker){s, i};
        work_is_alive(s, arena_printf(s->arena, "p%d", i));
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    for (int i = 0; i < LANES; i++)
        pthread_join(threads[i], NULL);
    work_off(s, "documents");
    for (int i = 0; i < SUBJECTS; i += 2)
        buf_printf(&expected, "s%02d {\"n\":%d}\n", i, REVISIONS);
    record_documents_are(s, expected.data);
    record_dead_letters(s, 0);
    buf_release(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_a_deletion_overtook_does_not_stay),
        cmocka_unit_test_setup_teardown(what_a_killed_worker_wrote_too_late_goes_when_its_event_comes_again,
                                        record_stage_setup, record_stage_close),
        cmocka_unit_test_setup_teardown(two_lanes_at_one_stream_end_with_the_newest_of_each, setup_small_batches,
                                        record_stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
