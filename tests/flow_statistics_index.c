/* The indices that statistics are kept in: their fields, templates and aliases, whoever made them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "notifier/dead.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/strict_statistics.h"
#include "support/work.h"

/* A GET or PUT below the prefix; the answer is yours. */
static json_t *ask(struct scene *s, const char *method, const char *where, const char *what, const char *body)
{
    char path[200];

    snprintf(path, sizeof path, "%s%s%s", where, s->settings->opensearch.prefix, what);
    return index_ask(s->settings, method, path, body);
}

static void an_index_has_the_fields_and_the_alias_it_was_given(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "record-view", "a", NULL, -1, "{\"recid\":\"r\",\"size\":7,\"via_api\":false}");
    struct buf mappings = BUF_INIT;
    json_t *answer;
    char index[100];

    snprintf(index, sizeof index, "events-stats-views-%.7s", e.time.text);
    scene_append(s, &e, 1);
    work_off(s, "views");
    answer = ask(s, "GET", "/", "events-stats-views", NULL);
    json_add_sorted(&mappings, json_object_get(json_object_iter_value(json_object_iter(answer)), "mappings"));
    assert_string_equal(mappings.data,
                        "{\"date_detection\":false,\"dynamic\":\"strict\",\"numeric_detection\":false,\"properties\":{"
                        "\"recid\":{\"type\":\"keyword\"},\"size\":{\"type\":\"double\"},"
                        "\"timestamp\":{\"format\":\"strict_date_optional_time\",\"type\":\"date\"},"
                        "\"updated_timestamp\":{\"type\":\"date\"},\"via_api\":{\"type\":\"boolean\"}}}");
    json_decref(answer);
    buf_release(&mappings);
    work_off(s, "views"); /* once more, over its own template */
    answer = ask(s, "GET", "/", index, NULL);
    assert_int_equal(json_object_size(answer), 1);
    json_decref(answer);
}

static void a_document_says_when_it_was_indexed(void **state)
{
    struct scene *s = *state;
    struct event events[] = {scene_event(s, "record-view", "a", NULL, -1, "{\"recid\":\"r\"}"),
                             scene_event(s, "record-view", "b", NULL, -1, "{\"updated_timestamp\":\"2020-01-01\"}")};
    int64_t before_us = clock_wall_us(), us;
    char *documents;
    const char *at;

    scene_append(s, events, 2);
    work_off(s, "views");
    documents = index_dump(s->settings, "events-stats-views-*");
    at = strstr(documents, "\"updated_timestamp\":\"");
    assert_non_null(at);
    at += strlen("\"updated_timestamp\":\"");
    assert_memory_equal(at + 26, "+00:00\"}\n", 9); /* YYYY-MM-DDThh:mm:ss.ssssss */
    assert_true(time_parse(at, 32, false, &us));
    assert_in_range(us, before_us, clock_wall_us());
    assert_non_null(strstr(documents, "b {\"updated_timestamp\":\"2020-01-01\",\"timestamp\":"));
    assert_null(strstr(documents, "unique_id"));
    free(documents);
}

static void our_template_goes_before_the_platforms_of_the_same_pattern(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "record-view", "a", NULL, -1, "{\"recid\":\"r\",\"size\":7}");
    char body[600];
    json_t *answer;

    snprintf(body, sizeof body,
             "{\"index_patterns\":[\"%sevents-stats-views-*\"],\"mappings\":{\"dynamic\":\"strict\",\"properties\":"
             "{\"recid\":{\"type\":\"text\"}}},\"aliases\":{\"%sevents-stats-views\":{}}}",
             s->settings->opensearch.prefix, s->settings->opensearch.prefix);
    json_decref(ask(s, "PUT", "/_template/", "platform", body));
    snprintf(body, sizeof body, "{\"index_patterns\":[\"%sevents-stats-views-*\"],\"template\":{}}",
             s->settings->opensearch.prefix);
    json_decref(ask(s, "PUT", "/_index_template/", "platform", body));
    scene_append(s, &e, 1);
    work_off(s, "views");
    assert_int_equal(index_count(s->settings, "events-stats-views"), 1);
    answer = ask(s, "GET", "/", "events-stats-views/_mapping", NULL);
    assert_string_equal(
        json_member_text(json_at(json_object_iter_value(json_object_iter(answer)), "mappings.properties.recid"), "type",
                         ""),
        "keyword");
    json_decref(answer);
    json_decref(ask(s, "DELETE", "/_template/", "platform", NULL));
    json_decref(ask(s, "DELETE", "/_index_template/", "platform", NULL));
}

static void an_index_of_the_platforms_making_gets_the_fields_it_lacks(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "record-view", "a", NULL, -1, "{\"recid\":\"r\",\"size\":7}");
    char index[100];

    snprintf(index, sizeof index, "events-stats-views-%.7s", e.time.text);
    json_decref(ask(s, "PUT", "/", index,
                    "{\"mappings\":{\"dynamic\":\"strict\",\"properties\":{\"recid\":{\"type\":\"keyword\"},"
                    "\"timestamp\":{\"type\":\"date\"}}}}"));
    scene_append(s, &e, 1);
    work_off(s, "views");
    assert_int_equal(index_count(s->settings, index), 1);
    assert_int_equal(scene_redis(s, "XLEN crier:{statistics}:dead")->integer, 0);
}

static int setup_with_class(void **state)
{
    char text[2000];

    snprintf(text, sizeof text, "%s[event record-view]\nagent_class = yes\n", strict_statistics_ini);
    *state = scene_open(text);
    return 0;
}

static void the_class_of_a_user_agent_is_one_of_the_fields_where_it_is_kept(void **state)
{
    struct scene *s = *state;
    struct event e =
        scene_event(s, "record-view", "a", NULL, -1, "{\"recid\":\"r\",\"size\":7,\"agent_class\":\"Firefox\"}");

    scene_append(s, &e, 1);
    work_off(s, "views");
    assert_int_equal(index_count(s->settings, "events-stats-views"), 1);
    assert_int_equal(scene_redis(s, "XLEN crier:{statistics}:dead")->integer, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_index_has_the_fields_and_the_alias_it_was_given, strict_statistics_setup,
                                        index_scene_close),
        cmocka_unit_test_setup_teardown(a_document_says_when_it_was_indexed, strict_statistics_setup,
                                        index_scene_close),
        cmocka_unit_test_setup_teardown(our_template_goes_before_the_platforms_of_the_same_pattern,
                                        strict_statistics_setup, index_scene_close),
        cmocka_unit_test_setup_teardown(an_index_of_the_platforms_making_gets_the_fields_it_lacks,
                                        strict_statistics_setup, index_scene_close),
        cmocka_unit_test_setup_teardown(the_class_of_a_user_agent_is_one_of_the_fields_where_it_is_kept,
                                        setup_with_class, index_scene_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
