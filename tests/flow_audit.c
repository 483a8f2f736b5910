/* Events to audit entries: in the index and in the file, each once, also while OpenSearch is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/counters.h"
#include "base/file.h"
#include "base/http.h"
#include "scheduler/lane.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static char file_path[300];

static struct scene *open_scene(const char *opensearch)
{
    char ini[1000];

    snprintf(file_path, sizeof file_path, "%s/audit.ndjson", test_folder());
    unlink(file_path);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[opensearch]\nurl = %s\nprefix = PREFIX\nconnect = 1s\n[audit]\nfile = %s\n"
             "[queue changes]\nevents = user.* record.*\n"
             "[handler trail]\ntype = audit\nqueue = changes\naction = {type}\nindex = audit-{time:%%Y-%%m}\n",
             opensearch, file_path);
    return scene_open(ini);
}

static int setup(void **state)
{
    *state = open_scene("SEARCH");
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "audit-*");
    scene_close(s);
    return 0;
}

static int teardown_alone(void **state)
{
    scene_close(*state);
    return 0;
}

static char *file_text(void)
{
    struct buf text = BUF_INIT;
    struct error err;

    if (!file_read(file_path, 1024 * 1024, &text, &err))
        fail_msg("%s", err.text);
    return buf_take(&text);
}

static void an_entry_says_who_did_what_to_what_and_when(void **state)
{
    struct scene *s = *state;
    struct event e =
        scene_event(s, "user.updated", "a", "users/42", 7, "{\"full_name\":\"Ada\",\"outcome\":\"failure\"}");
    char *entries, *text;

    e.actor = span_of("users/1");
    e.operation = span_of("op-1");
    e.time = span_of("2026-11-20T10:00:00Z");
    e.time_us = 1795168800000000;
    scene_append(s, &e, 1);
    work_off(s, "trail");
    entries = index_dump(s->settings, "audit-2026-11");
    text = file_text();
    assert_string_equal(
        text,
        "{\"id\":\"a\",\"time\":\"2026-11-20T10:00:00Z\",\"action\":\"user.updated\",\"outcome\":\"failure\","
        "\"actor\":{\"kind\":\"users\",\"id\":\"1\"},\"resource\":{\"kind\":\"users\",\"id\":\"42\",\"revision\":7},"
        "\"operation\":\"op-1\",\"event\":{\"id\":\"a\",\"source\":\"https://repository.example.org\",\"type\":"
        "\"user.updated\"},\"data\":{\"full_name\":\"Ada\",\"outcome\":\"failure\"}}\n");
    assert_memory_equal(entries, "a {", 3);
    assert_memory_equal(entries + 2, text, strlen(text));
    free(entries);
    free(text);
}

static void events_whose_data_disagree_in_type_are_all_entries(void **state)
{
    struct scene *s = *state;
    struct event events[] = {
        scene_event(s, "user.updated", "a", "users/1", 1, "{\"x\":1}"),
        scene_event(s, "record.published", "b", "records/1", 1, "{\"x\":{\"y\":\"z\"}}"),
        scene_event(s, "record.deleted", "c", "records/1", 2, NULL),
    };

    scene_append(s, events, 3);
    work_off(s, "trail");
    assert_int_equal(index_count(s->settings, "audit-*"), 3);
    assert_int_equal(scene_redis(s, "XLEN crier:{changes}:dead")->integer, 0);
}

static bool is_counted(const char *line)
{
    struct buf text = BUF_INIT;
    bool found;

    counters_add_text(&text);
    found = strstr(text.data, line);
    buf_release(&text);
    return found;
}

static void install(struct scene *s)
{
    struct lane *lane = work_open(s, "trail");

    lane_leave(lane);
    lane_free(lane);
}

static void a_template_that_was_edited_is_reported(void **state)
{
    static const char drifted[] = "crier_template_drifted{handler=\"trail\"} 1\n";
    struct scene *s = *state;
    char path[200];
    json_t *answer, *edited;
    char *text;

    install(s);
    assert_false(is_counted(drifted));
    snprintf(path, sizeof path, "/_index_template/%scrier-audit-_", s->settings->opensearch.prefix);
    answer = index_ask(s->settings, "GET", path, NULL);
    edited = json_object_get(json_array_get(json_object_get(answer, "index_templates"), 0), "index_template");
    json_object_set_new(json_object_get(edited, "template"), "settings", json_pack("{s:s}", "number_of_shards", "3"));
    text = json_dumps(edited, JSON_COMPACT);
    json_decref(index_ask(s->settings, "PUT", path, text));
    install(s);
    assert_true(is_counted(drifted));
    json_decref(index_ask(s->settings, "DELETE", path, NULL));
    free(text);
    json_decref(answer);
}

static void the_file_takes_entries_once_while_the_index_is_away(void **state)
{
    struct scene *s = open_scene("http://127.0.0.1:1"); /* nobody listens there */
    struct event e = scene_event(s, "user.updated", "a", "users/1", 1, "{}");
    struct error err;
    struct lane *lane = lane_new(s->settings, settings_handler(s->settings, "trail"), "test", 0, &err);
    char *text;
    size_t taken;

    *state = s;
    assert_non_null(lane);
    scene_append(s, &e, 1);
    for (int i = 0; i < 3; i++) {
        assert_false(lane_pass(lane, 0, &taken, &err));
        assert_int_equal(err.kind, ERROR_AGAIN);
    }
    text = file_text();
    assert_non_null(strstr(text, "{\"id\":\"a\""));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); /* one line */
    free(text);
    assert_int_equal(scene_redis(s, "XPENDING crier:{changes}:stream trail")->items[0].integer, 1);
    lane_leave(lane);
    lane_free(lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_entry_says_who_did_what_to_what_and_when, setup, teardown),
        cmocka_unit_test_setup_teardown(events_whose_data_disagree_in_type_are_all_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(a_template_that_was_edited_is_reported, setup, teardown),
        cmocka_unit_test_teardown(the_file_takes_entries_once_while_the_index_is_away, teardown_alone),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
