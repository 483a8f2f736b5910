/* The numbers of a record come into its documents, once for each change, beside whoever else writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/handler.h"
#include "support/fault_proxy.h"
#include "support/record_stats_stage.h"
#include "support/scene.h"
#include "support/search_index.h"

static int setup_small(void **state)
{
    record_stats_stage_open(state, "url = SEARCH\n", "page = 2\nrate = 20\n");
    return 0;
}

static int setup_slow(void **state)
{
    record_stats_stage_open(state, "url = SEARCH\n", "rate = 1\n");
    return 0;
}

/* -------------------------------------------------------------------------------------------------------- numbers */

static void a_changed_parent_brings_its_numbers_to_all_of_its_versions(void **state)
{
    struct record_stats_stage *t = *state;
    json_t *stranger;

    stats_load_family(t);
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    stats_are(t, "records", "r1", STATS(LEVEL(7, 5, 0, 0, 0.0), LEVEL(17, 9, 3, 1, 1500.5)));
    stats_are(t, "records", "r2", STATS(LEVEL(10, 4, 3, 1, 1500.5), LEVEL(17, 9, 3, 1, 1500.5)));
    stats_are(t, "records", "r3", STATS(LEVEL(0, 0, 0, 0, 0.0), LEVEL(17, 9, 3, 1, 1500.5)));
    stranger = stats_get(t, "records", "r9");
    assert_null(json_at(stranger, "_source.stats"));
    json_decref(stranger);
    assert_int_equal(stats_marks_left(t, "views"), 0);
}

static void marks_of_both_aggregations_are_one_page(void **state)
{
    struct record_stats_stage *t = *state;
    int64_t searches = index_searches(t->scene->settings, "records");

    stats_load_family(t);
    stats_mark(t, "views", "p1");
    stats_mark(t, "downloads", "p1");
    stats_mark(t, "downloads", "p9");
    stats_run_well(t);
    stats_are(t, "records", "r9", STATS(LEVEL(100, 50, 0, 0, 0.0), LEVEL(100, 50, 0, 0, 0.0)));
    assert_int_equal(index_searches(t->scene->settings, "records") - searches, 1);
    assert_int_equal(stats_marks_left(t, "views") + stats_marks_left(t, "downloads"), 0);
}

static void one_view_of_a_hundred_versions_costs_a_handful_of_searches(void **state)
{
    struct record_stats_stage *t = *state;
    const struct settings *s = t->scene->settings;
    int64_t views, downloads, records, writes;

    for (int i = 0; i < 100; i++) {
        char id[20];

        snprintf(id, sizeof id, "v%d", i);
        stats_load_record(t, id, "p", 1 + i, "one of many");
    }
    stats_load_view(t, "a", "v7", "p", 1, 1);
    views = index_searches(s, "agg-views");
    downloads = index_searches(s, "agg-downloads");
    records = index_searches(s, "records");
    writes = index_writes(s, "records");
    stats_mark(t, "views", "p");
    stats_run_well(t);
    assert_int_equal(index_searches(s, "agg-views") - views, 1);
    assert_int_equal(index_searches(s, "agg-downloads") - downloads, 1);
    assert_int_equal(index_searches(s, "records") - records, 1);
    assert_int_equal(index_writes(s, "records") - writes, 100);
    stats_are(t, "records", "v7", STATS(LEVEL(1, 1, 0, 0, 0.0), LEVEL(1, 1, 0, 0, 0.0)));
    stats_are(t, "records", "v99", STATS(LEVEL(0, 0, 0, 0, 0.0), LEVEL(1, 1, 0, 0, 0.0)));
}

static void what_is_as_it_should_be_is_not_written(void **state)
{
    struct record_stats_stage *t = *state;
    int64_t writes;

    stats_load_family(t);
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    writes = index_writes(t->scene->settings, "records");
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    assert_int_equal(index_writes(t->scene->settings, "records"), writes);
    assert_int_equal(stats_marks_left(t, "views"), 0);
}

static void more_parents_than_a_page_are_worked_off_at_the_rate_allowed(void **state)
{
    struct record_stats_stage *t = *state;
    int64_t start_ms;

    for (int i = 0; i < 40; i++) {
        char record[20], parent[20], aggregate[20];

        snprintf(record, sizeof record, "r%d", i);
        snprintf(parent, sizeof parent, "p%d", i);
        snprintf(aggregate, sizeof aggregate, "a%d", i);
        stats_load_record(t, record, parent, 1, "x");
        stats_load_view(t, aggregate, record, parent, 1 + i, 1);
        stats_mark(t, "views", parent);
    }
    start_ms = clock_monotonic_ms();
    stats_run_well(t);
    assert_true(clock_monotonic_ms() - start_ms >= 1800); /* 40 at 20 a second, the first two at once */
    stats_are(t, "records", "r39", STATS(LEVEL(40, 1, 0, 0, 0.0), LEVEL(40, 1, 0, 0, 0.0)));
    assert_int_equal(stats_marks_left(t, "views"), 0);
}

/* ------------------------------------------------------------------------------------- the platform's own documents */

static void the_version_stays_the_platforms_and_its_next_write_goes_through(void **state)
{
    struct record_stats_stage *t = *state;
    json_t *document;

    stats_load_family(t);
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    document = stats_get(t, "records", "r1");
    assert_int_equal(json_integer_value(json_object_get(document, "_version")), 7);
    assert_string_equal(json_member_text(json_object_get(document, "_source"), "title", ""), "first");
    json_decref(document);
    stats_load_record(t, "r1", "p1", 7, "the same revision again"); /* fails the test where it is refused */
    stats_load_record(t, "r1", "p1", 8, "edited");
    document = stats_get(t, "records", "r1");
    assert_int_equal(json_integer_value(json_object_get(document, "_version")), 8);
    json_decref(document);
}

static void a_document_without_a_version_of_its_own_is_written_just_so(void **state)
{
    struct record_stats_stage *t = *state;

    stats_load_record(t, "plain", "p1", 0, "x");
    stats_load_view(t, "a1", "plain", "p1", 2, 1);
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    stats_are(t, "records", "plain", STATS(LEVEL(2, 1, 0, 0, 0.0), LEVEL(2, 1, 0, 0, 0.0)));
    stats_load_record(t, "plain", "p1", 0, "written again");
}

/* The third call comes while the rate lets the third document wait: the search has seen it, and it is not read yet. */
static bool edit_and_go_on(struct clock_run *run, struct error *err)
{
    struct record_stats_stage *t =
        (struct record_stats_stage *)((char *)run - offsetof(struct record_stats_stage, run));

    (void)err;
    if (++t->calls == 3)
        stats_load_record(t, "r3", "p1", 9, "edited meanwhile");
    return true;
}

static void what_the_platform_writes_after_the_search_is_kept(void **state)
{
    struct record_stats_stage *t = *state;
    json_t *document;

    stats_load_family(t);
    stats_mark(t, "views", "p1");
    t->run.may_go_on = edit_and_go_on;
    stats_run_well(t);
    assert_true(t->calls >= 3);
    document = stats_get(t, "records", "r3");
    assert_int_equal(json_integer_value(json_object_get(document, "_version")), 9);
    assert_string_equal(json_member_text(json_object_get(document, "_source"), "title", ""), "edited meanwhile");
    json_decref(document);
    stats_are(t, "records", "r3", STATS(LEVEL(0, 0, 0, 0, 0.0), LEVEL(17, 9, 3, 1, 1500.5)));
}

/* The platform in a thread of its own: revision after revision of one record, without our numbers. */
struct platform {
    const struct settings *settings;
    atomic_bool done;
    atomic_int runs; /* of ours meanwhile */
    int refused, revision;
};

static void *publish(void *context)
{
    struct platform *p = context;
    char lines[300];

    for (int revision = 10; revision < 10 + REVISIONS || atomic_load(&p->runs) < 2; revision++) {
        json_t *answer;

        p->revision = revision;
        snprintf(lines, sizeof lines,
                 "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"r1\",\"version\":%d,\"version_type\":"
                 "\"external_gte\"}}\n{\"id\":\"r1\",\"parent\":{\"id\":\"p1\"},\"title\":\"%d\"}\n",
                 p->settings->opensearch.prefix, revision, revision);
        answer = index_ask(p->settings, "POST", "/_bulk", lines);
        p->refused += json_is_true(json_object_get(answer, "errors"));
        json_decref(answer);
    }
    atomic_store(&p->done, true);
    return NULL;
}

static void a_platform_that_writes_all_the_time_never_loses_a_revision(void **state)
{
    struct record_stats_stage *t = *state;
    struct platform platform = {.settings = t->scene->settings};
    pthread_t thread;
    json_t *document;

    stats_load_family(t);
    assert_int_equal(pthread_create(&thread, NULL, publish, &platform), 0);
    for (; !atomic_load(&platform.done); atomic_fetch_add(&platform.runs, 1)) {
        stats_mark(t, "views", "p1");
        if (!stats_run(t) && !strstr(t->err.text, "all the time"))
            fail_msg("%s", t->err.text);
    }
    pthread_join(thread, NULL);
    assert_int_equal(platform.refused, 0);
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    document = stats_get(t, "records", "r1");
    assert_int_equal(json_integer_value(json_object_get(document, "_version")), platform.revision);
    assert_int_equal(atoi(json_member_text(json_object_get(document, "_source"), "title", "")), platform.revision);
    json_decref(document);
    stats_are(t, "records", "r1", STATS(LEVEL(7, 5, 0, 0, 0.0), LEVEL(17, 9, 3, 1, 1500.5)));
    assert_int_equal(stats_marks_left(t, "views"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_changed_parent_brings_its_numbers_to_all_of_its_versions,
                                        record_stats_stage_setup, record_stats_stage_close),
        cmocka_unit_test_setup_teardown(marks_of_both_aggregations_are_one_page, record_stats_stage_setup,
                                        record_stats_stage_close),
        cmocka_unit_test_setup_teardown(one_view_of_a_hundred_versions_costs_a_handful_of_searches,
                                        record_stats_stage_setup, record_stats_stage_close),
        cmocka_unit_test_setup_teardown(what_is_as_it_should_be_is_not_written, record_stats_stage_setup,
                                        record_stats_stage_close),
        cmocka_unit_test_setup_teardown(more_parents_than_a_page_are_worked_off_at_the_rate_allowed, setup_small,
                                        record_stats_stage_close),
        cmocka_unit_test_setup_teardown(the_version_stays_the_platforms_and_its_next_write_goes_through,
                                        record_stats_stage_setup, record_stats_stage_close),
        cmocka_unit_test_setup_teardown(a_document_without_a_version_of_its_own_is_written_just_so,
                                        record_stats_stage_setup, record_stats_stage_close),
        cmocka_unit_test_setup_teardown(what_the_platform_writes_after_the_search_is_kept, setup_slow,
                                        record_stats_stage_close),
        cmocka_unit_test_setup_teardown(a_platform_that_writes_all_the_time_never_loses_a_revision,
                                        record_stats_stage_setup, record_stats_stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
