/* Numbers for records where something is missing, refused or away, and where they go to an index of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "handlers/handler.h"
#include "support/fault_proxy.h"
#include "support/record_stats_stage.h"
#include "support/scene.h"
#include "support/search_index.h"

static int setup_side(void **state)
{
    record_stats_stage_open(state, "url = SEARCH\n", "side_index = beside\n");
    return 0;
}

/* ---------------------------------------------------------------------------------------------------- bad days */

static void a_failed_query_writes_nothing_and_the_marks_stay(void **state)
{
    struct record_stats_stage *t = *state;
    int64_t writes;

    stats_load_family(t);
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    stats_make_index(t->scene, "agg-downloads", AGGREGATES("text")); /* no sums by such a field */
    stats_load_download(t, "d1", "r2", "p1", 3, 1, 1500.5);
    writes = index_writes(t->scene->settings, "records");
    stats_mark(t, "views", "p1");
    stats_mark(t, "downloads", "p9");
    assert_false(stats_run(t));
    assert_int_equal(t->err.kind, ERROR_AGAIN);
    assert_non_null(strstr(t->err.text, "download-agg"));
    assert_int_equal(index_writes(t->scene->settings, "records"), writes);
    assert_int_equal(stats_marks_left(t, "views"), 1);
    assert_int_equal(stats_marks_left(t, "downloads"), 1);
}

static void numbers_of_an_aggregation_that_is_gone_stay_as_they_are(void **state)
{
    struct record_stats_stage *t = *state;

    stats_load_family(t);
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    index_delete(t->scene->settings, "agg-downloads");
    stats_load_view(t, "a5", "r3", "p1", 1, 1);
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    stats_are(t, "records", "r2", STATS(LEVEL(10, 4, 3, 1, 1500.5), LEVEL(18, 10, 3, 1, 1500.5)));
    stats_are(t, "records", "r3", STATS(LEVEL(1, 1, 0, 0, 0.0), LEVEL(18, 10, 3, 1, 1500.5)));
}

static void without_record_documents_the_marks_stay(void **state)
{
    struct record_stats_stage *t = *state;

    stats_load_family(t);
    index_delete(t->scene->settings, "records");
    stats_mark(t, "views", "p1");
    assert_false(stats_run(t));
    assert_non_null(strstr(t->err.text, "records"));
    assert_int_equal(stats_marks_left(t, "views"), 1);
}

static void a_refused_document_holds_up_its_own_parent_alone(void **state)
{
    struct record_stats_stage *t = *state;
    char path[100];

    stats_load_family(t);
    stats_mark(t, "views", "p1");
    stats_mark(t, "views", "p9");
    snprintf(path, sizeof path, "/%srecords/_mapping", t->scene->settings->opensearch.prefix);
    json_decref(
        index_ask(t->scene->settings, "PUT", path,
                  "{\"properties\":{\"stats\":{\"properties\":{\"this_version\":{\"properties\":{\"views\":"
                  "{\"type\":\"byte\"}}},\"all_versions\":{\"properties\":{\"views\":{\"type\":\"byte\"}}}}}}}"));
    stats_load_view(t, "a9", "r9", "p9", 200, 1); /* 300 is no byte */
    assert_false(stats_run(t));
    assert_non_null(strstr(t->err.text, "records/r9"));
    stats_are(t, "records", "r1", STATS(LEVEL(7, 5, 0, 0, 0.0), LEVEL(17, 9, 3, 1, 1500.5)));
    assert_int_equal(stats_marks_left(t, "views"), 1);
}

static void without_opensearch_the_marks_stay(void **state)
{
    struct record_stats_stage *t = *state;
    struct fault_proxy *proxy = fault_proxy_start(port_find()); /* leads nowhere */
    struct opensearch_settings away = t->scene->settings->opensearch;
    struct client *client = t->handler->client;

    away.url = (char *)(uintptr_t)fault_proxy_url(proxy);
    t->handler->client = client_new(&away);
    stats_mark(t, "views", "p1");
    assert_false(stats_run(t));
    assert_int_equal(t->err.kind, ERROR_AGAIN);
    assert_int_equal(stats_marks_left(t, "views"), 1);
    client_free(t->handler->client);
    t->handler->client = client;
    fault_proxy_free(proxy);
}

/* -------------------------------------------------------------------------------------------------- the side index */

static void with_a_side_index_the_record_documents_are_left_alone(void **state)
{
    struct record_stats_stage *t = *state;
    int64_t writes;
    json_t *document;

    stats_load_family(t);
    writes = index_writes(t->scene->settings, "records");
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    assert_int_equal(index_writes(t->scene->settings, "records"), writes);
    stats_are(t, "beside", "r2", STATS(LEVEL(10, 4, 3, 1, 1500.5), LEVEL(17, 9, 3, 1, 1500.5)));
    document = stats_get(t, "beside", "r2");
    assert_string_equal(json_member_text(json_object_get(document, "_source"), "id", ""), "r2");
    assert_string_equal(json_member_text(json_object_get(document, "_source"), "parent", ""), "p1");
    assert_non_null(json_at(document, "_source.updated_timestamp"));
    json_decref(document);
    assert_int_equal(index_count(t->scene->settings, "beside"), 3);
}

static void a_side_document_is_written_again_only_where_it_changed(void **state)
{
    struct record_stats_stage *t = *state;
    int64_t writes;

    stats_load_family(t);
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    writes = index_writes(t->scene->settings, "beside");
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    assert_int_equal(index_writes(t->scene->settings, "beside"), writes);
    stats_load_view(t, "a5", "r3", "p1", 1, 1);
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    assert_int_equal(index_writes(t->scene->settings, "beside") - writes, 3);
    stats_are(t, "beside", "r3", STATS(LEVEL(1, 1, 0, 0, 0.0), LEVEL(18, 10, 3, 1, 1500.5)));
}

static void a_side_document_that_a_clock_set_wrong_wrote_is_brought_up_to_date(void **state)
{
    struct record_stats_stage *t = *state;

    stats_load_family(t);
    stats_load(t, "beside", "r2", ",\"version\":9000000000000000,\"version_type\":\"external\"",
               "{\"id\":\"r2\",\"parent\":\"p1\"}");
    stats_mark(t, "views", "p1");
    stats_run_well(t);
    stats_are(t, "beside", "r2", STATS(LEVEL(10, 4, 3, 1, 1500.5), LEVEL(17, 9, 3, 1, 1500.5)));
    assert_int_equal(stats_marks_left(t, "views"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_failed_query_writes_nothing_and_the_marks_stay, record_stats_stage_setup,
                                        record_stats_stage_close),
        cmocka_unit_test_setup_teardown(numbers_of_an_aggregation_that_is_gone_stay_as_they_are,
                                        record_stats_stage_setup, record_stats_stage_close),
        cmocka_unit_test_setup_teardown(without_record_documents_the_marks_stay, record_stats_stage_setup,
                                        record_stats_stage_close),
        cmocka_unit_test_setup_teardown(a_refused_document_holds_up_its_own_parent_alone, record_stats_stage_setup,
                                        record_stats_stage_close),
        cmocka_unit_test_setup_teardown(without_opensearch_the_marks_stay, record_stats_stage_setup,
                                        record_stats_stage_close),
        cmocka_unit_test_setup_teardown(with_a_side_index_the_record_documents_are_left_alone, setup_side,
                                        record_stats_stage_close),
        cmocka_unit_test_setup_teardown(a_side_document_is_written_again_only_where_it_changed, setup_side,
                                        record_stats_stage_close),
        cmocka_unit_test_setup_teardown(a_side_document_that_a_clock_set_wrong_wrote_is_brought_up_to_date, setup_side,
                                        record_stats_stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
