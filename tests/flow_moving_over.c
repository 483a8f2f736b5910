/*
 * Moving over from a running invenio-stats: its indices, templates and bookmarks as it leaves them, its queues half
 * full; then crier with the two profiles and the address of the broker, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "notifier/platform/kombu_queue.h"
#include "support/counting.h"
#include "support/leftovers.h"
#include "support/search_index.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000, KILLS = 5 };

/* ------------------------------------------------------------------------------------------------- what became of it
 */

static int64_t waiting(struct leftovers *f, const char *queue)
{
    const struct reply *reply;
    int64_t all = 0;
    struct error err;

    for (int i = 0; i < KOMBU_PRIORITIES; i++) {
        if (!redis_do(f->kombu, f->arena, &reply, &err, "LLEN %s", kombu_list(queue, i, f->arena)))
            fail_msg("%s", err.text);
        all += reply->integer;
    }
    return all;
}

static bool taken_over(struct leftovers *f)
{
    struct scene *s = f->counting.scene;

    return waiting(f, VIEWS) + waiting(f, DOWNLOADS) == 0 &&
           scene_redis(s, "HEXISTS crier:{%s}:aggregated:record-view-agg ran", VIEWS)->integer == 1 &&
           scene_redis(s, "HEXISTS crier:{%s}:aggregated:file-download-agg ran", DOWNLOADS)->integer == 1;
}

/* The queues are empty, both aggregations have begun with what they found, and all of it is computed. */
static void wait_until_counted(struct leftovers *f)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!taken_over(f)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("crier does not take over");
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
    counting_wait(&f->counting);
}

static void views_are(struct leftovers *f, const char *record, int64_t time_us, int64_t count)
{
    const char *index = leftovers_index(f, VIEWS, time_us), *id = leftovers_id(f, record, time_us);

    counting_number_is(&f->counting, index, id, "_source.count", count);
    counting_number_is(&f->counting, index, id, "_source.unique_count", count);
}

static void record_has(struct leftovers *f, const char *record, const char *what, int64_t number)
{
    const char *id = arena_printf(f->arena, "uuid-%s", record);

    counting_number_is(&f->counting, "records", id, arena_printf(f->arena, "_source.stats.this_version.%s", what),
                       number);
    counting_number_is(&f->counting, "records", id, arena_printf(f->arena, "_source.stats.all_versions.%s", what),
                       number);
}

static void all_is_counted_once(struct leftovers *f)
{
    const struct settings *s = f->counting.scene->settings;
    const char *file = arena_printf(f->arena, "bucket_file-%s", leftovers_time(f, f->now_us, "%Y-%m-%d"));

    assert_int_equal(index_count(s, "events-" VIEWS), f->events + 6);
    assert_int_equal(index_count(s, "events-" DOWNLOADS), 4);
    views_are(f, "a", leftovers_long_ago(f), 40);
    views_are(f, "a", leftovers_last_week(f), 4);
    views_are(f, "a", leftovers_yesterday(f), 5);
    views_are(f, "a", f->now_us, 2);
    views_are(f, "b", leftovers_last_week(f), 2);
    views_are(f, "b", leftovers_yesterday(f), 1);
    views_are(f, "c", f->now_us, 3);
    assert_int_equal(index_count(s, VIEWS), 7); /* and none besides */
    counting_number_is(&f->counting, leftovers_index(f, DOWNLOADS, f->now_us), file, "_source.count", 4);
    counting_number_is(&f->counting, leftovers_index(f, DOWNLOADS, f->now_us), file, "_source.volume", 400);
    record_has(f, "a", "views", 40 + 4 + 5 + 2);
    record_has(f, "a", "unique_downloads", 4);
    record_has(f, "b", "views", 2 + 1);
    record_has(f, "c", "views", 3);
    for (size_t i = 0; i < ARRAY_LENGTH(leftover_records); i++)
        counting_number_is(&f->counting, "records", arena_printf(f->arena, "uuid-%s", leftover_records[i]), "_version",
                           7);
}

/* ---------------------------------------------------------------------------------------------------------- tests */

static void what_was_and_what_comes_is_counted_once_and_late_views_are_repaired(void **state)
{
    struct leftovers *f = *state;

    counting_serve(&f->counting, 1);
    wait_until_counted(f);
    all_is_counted_once(f);
    free(counting_crier(&f->counting,
                        (const char *const[]){"aggregations", "run", "--from",
                                              leftovers_time(f, leftovers_last_week(f), "%Y-%m-%d"), NULL}));
    views_are(f, "b", leftovers_last_week(f), 3);
    free(counting_crier(&f->counting, (const char *const[]){"aggregations", "run", "--all", NULL}));
    counting_number_is(&f->counting, leftovers_index(f, VIEWS, leftovers_long_ago(f)),
                       leftovers_id(f, "a", leftovers_long_ago(f)), "_version", 1);
    counting_wait(&f->counting);
    record_has(f, "a", "views", 40 + 4 + 5 + 2);
    record_has(f, "b", "views", 3 + 1);
}

static void killed_again_and_again_while_it_takes_over_it_counts_once(void **state)
{
    struct leftovers *f = *state;

    counting_serve(&f->counting, 1);
    for (int i = 0; i < KILLS; i++) {
        nanosleep(&(struct timespec){0, (i * 70 + 1) * 1000000L}, NULL);
        work_survives(f->counting.scene, VIEWS, "events-" VIEWS);
        work_survives(f->counting.scene, DOWNLOADS, "events-" DOWNLOADS);
        server_kill(f->counting.services[0]);
        server_restart(f->counting.services[0]);
    }
    wait_until_counted(f);
    all_is_counted_once(f);
}

/* The first hit of a search for the views of c. */
static json_t *some_event(struct leftovers *f)
{
    json_t *answer =
        index_ask(f->counting.scene->settings, "GET",
                  arena_printf(f->arena, "/%sevents-" VIEWS "/_search?q=recid:c", leftovers_prefix(f)), NULL);
    json_t *hit = json_incref(json_array_get(json_at(answer, "hits.hits"), 0));

    json_decref(answer);
    return hit;
}

static void the_platform_can_go_on_writing_the_same_documents(void **state)
{
    struct leftovers *f = *state;
    char *document;
    json_t *event;

    counting_serve(&f->counting, 1);
    wait_until_counted(f);
    leftovers_put_aggregate(f, "c", f->now_us, 99); /* its own aggregator, by id and without a version */
    leftovers_put_record(f, "c", 8);
    assert_int_equal(index_count(f->counting.scene->settings, "events-" VIEWS), f->events + 6);
    event = some_event(f);
    document = json_dumps(json_object_get(event, "_source"), JSON_COMPACT);
    leftovers_put(f, json_member_text(event, "_index", "") + strlen(leftovers_prefix(f)),
                  json_member_text(event, "_id", ""), document);
    leftovers_publish(f, VIEWS, "c", f->now_us);
    wait_until_counted(f);
    views_are(f, "c", f->now_us, 4);
    record_has(f, "c", "views", 4);
    counting_number_is(&f->counting, "records", "uuid-c", "_version", 8);
    assert_int_equal(index_count(f->counting.scene->settings, "events-" VIEWS), f->events + 7);
    json_decref(event);
    free(document);
}

static int64_t newest_bookmark_us(struct leftovers *f, const char *aggregation)
{
    const struct settings *s = f->counting.scene->settings;
    int64_t newest_ms;
    json_t *answer;

    index_count(s, "stats-bookmarks"); /* refreshes */
    answer = index_ask(s, "GET",
                       arena_printf(f->arena, "/%sstats-bookmarks/_search?q=aggregation_type:%s&sort=date:desc",
                                    leftovers_prefix(f), aggregation),
                       NULL);
    newest_ms =
        json_integer_value(json_array_get(json_object_get(json_array_get(json_at(answer, "hits.hits"), 0), "sort"), 0));
    json_decref(answer);
    return newest_ms * 1000;
}

/* It is written when all is counted. */
static void the_platforms_bookmarks_are_kept_up_to_date(void **state)
{
    static const char *const aggregations[] = {"record-view-agg", "file-download-agg"};
    struct leftovers *f = *state;
    int64_t began_us = clock_wall_us(), until_ms;

    counting_serve(&f->counting, 1);
    wait_until_counted(f);
    until_ms = clock_monotonic_ms() + PATIENCE_MS;
    for (size_t i = 0; i < ARRAY_LENGTH(aggregations); i++) {
        int64_t date_us;

        while ((date_us = newest_bookmark_us(f, aggregations[i])) < began_us - 1000) {
            if (clock_monotonic_ms() > until_ms)
                fail_msg("the newest bookmark of %s is of %lld", aggregations[i], (long long)date_us);
            nanosleep(&(struct timespec){0, 50000000}, NULL);
        }
        assert_true(date_us <= clock_wall_us());
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, leftovers_open, leftovers_close)
    const struct CMUnitTest tests[] = {
        TEST(what_was_and_what_comes_is_counted_once_and_late_views_are_repaired),
        TEST(killed_again_and_again_while_it_takes_over_it_counts_once),
        TEST(the_platform_can_go_on_writing_the_same_documents),
        TEST(the_platforms_bookmarks_are_kept_up_to_date),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
