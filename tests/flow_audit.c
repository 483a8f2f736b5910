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
#include "notifier/service_event.h"
#include "scheduler/lane.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static char file_path[300];

static struct scene *open_scene(const char *opensearch)
{
    char ini[1000], head[310];

    snprintf(file_path, sizeof file_path, "%s/audit.ndjson", test_folder());
    snprintf(head, sizeof head, "%s.head", file_path);
    unlink(file_path);
    unlink(head);
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

/* What a line of the file says before its chain. */
static void cut_chain(char *line)
{
    char *chain = strstr(line, ",\"chain\":{");

    assert_non_null(chain);
    strcpy(chain, "}\n");
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
    cut_chain(text);
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

static int verify(struct scene *s, const char *more, char **out)
{
    const char *arguments[] = {"audit", "verify", "--config", s->config_path, more, NULL};

    return crier_run(out, arguments);
}

static void verify_names_the_first_bad_line_and_ends_with_1(void **state)
{
    struct scene *s = *state;
    struct event events[3];
    char *text, *out, place[400];
    FILE *file;

    for (int i = 0; i < 3; i++)
        events[i] = scene_event(s, "user.updated", (char *[]){"a", "b", "c"}[i], "users/1", i, "{\"x\":1}");
    scene_append(s, events, 3);
    work_off(s, "trail");
    assert_int_equal(verify(s, NULL, &out), 0);
    assert_non_null(strstr(out, "3 lines are as they were written"));
    free(out);
    text = file_text();
    strstr(text, "\"x\":1")[4] = '2';
    file = fopen(file_path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    snprintf(place, sizeof place, "%s:1: was changed", file_path);
    assert_int_equal(verify(s, NULL, &out), 1);
    assert_non_null(strstr(out, place));
    free(out);
    assert_int_equal(verify(s, "--json", &out), 1);
    assert_non_null(strstr(out, "\"ok\":false"));
    free(out);
    free(text);
}

/* As the platform makes it, cut to what matters here: strict, and a data stream, which takes nothing but create. */
static const char platform_template[] =
    "{\"index_patterns\":[\"%s\"],\"priority\":500,\"data_stream\":{},\"template\":{\"mappings\":{\"dynamic\":"
    "\"strict\","
    "\"properties\":{\"id\":{\"type\":\"keyword\"},\"uuid\":{\"type\":\"keyword\"},\"version_id\":{\"type\":\"long\"},"
    "\"@timestamp\":{\"type\":\"date\"},\"updated\":{\"type\":\"date\"},\"action\":{\"type\":\"keyword\"},"
    "\"resource\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"type\":{\"type\":\"keyword\"}}},"
    "\"message\":{\"type\":\"text\"},\"user\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"username\":{\"type\":"
    "\"keyword\"},\"email\":{\"type\":\"text\"}}},\"metadata\":{\"type\":\"flat_object\"}}}}}";

static void the_platforms_own_data_stream_takes_each_entry_once(void **state)
{
    struct scene *s = scene_open("[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                                 "[queue changes]\nevents = user.*\n"
                                 "[handler trail]\ntype = audit\nqueue = changes\nform = invenio\n"
                                 "index = auditlog-audit-log-v2.0.0\nfield = 24KiB\n");
    const char *prefix = s->settings->opensearch.prefix;
    struct event events[] = {scene_event(s, "user.updated", "a", "users/1", 1, "{\"before\":{\"x\":1}}"),
                             scene_event(s, "user.created", "b", "users/2", 1, NULL), event_none};
    char stream[200], path[300], *body, *longest = malloc(24 * 1024 + 1);

    *state = s;
    assert_non_null(longest);
    memset(longest, 'x', 24 * 1024);
    longest[24 * 1024] = '\0';
    events[2] = scene_event(
        s, "user.updated", "c", "users/1", 2,
        arena_printf(s->arena, "{\"file_key\":\"k\",\"none\":null,\"deep\":[{\"a\":[{}]}],\"long\":\"%s\"}", longest));
    free(longest);
    snprintf(stream, sizeof stream, "%sauditlog-audit-log-v2.0.0", prefix);
    snprintf(path, sizeof path, "/_index_template/%splatform", prefix);
    body = scene_replaced(platform_template, "%s", stream);
    json_decref(index_ask(s->settings, "PUT", path, body));
    free(body);
    scene_append(s, events, 3);
    work_off(s, "trail");
    events[0].only = events[1].only = events[2].only = span_of("trail"); /* replayed: past the window of ids */
    scene_append(s, events, 3);
    work_off(s, "trail");
    assert_int_equal(scene_redis(s, "XLEN crier:{changes}:dead")->integer, 0);
    assert_int_equal(index_count(s->settings, "auditlog-audit-log-v2.0.0"), 3);
    body = index_dump(s->settings, "auditlog-audit-log-v2.0.0");
    assert_non_null(strstr(body, "\"message\":\"user.updated of users/1\""));
    assert_non_null(strstr(body, "\"file_key\":\"k\",\"data\":{"));
    free(body);
    snprintf(path, sizeof path, "/_data_stream/%s", stream);
    json_decref(index_ask(s->settings, "DELETE", path, NULL));
    snprintf(path, sizeof path, "/_index_template/%splatform", prefix);
    json_decref(index_ask(s->settings, "DELETE", path, NULL));
}

static void what_the_service_does_is_an_entry_whatever_action_and_index_ask_for(void **state)
{
    struct scene *s = scene_open("[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                                 "[queue changes]\nevents = user.*\n[handler trail]\ntype = audit\nqueue = changes\n"
                                 "action = {data.verb}\nindex = audit-{data.community}-{time:%Y}\n");
    struct error err;
    char *entries;

    *state = s;
    assert_true(service_event_send(s->settings, s->redis, "dead.dropped", "dead/1-1", NULL, NULL, &err));
    work_off(s, "trail");
    assert_int_equal(scene_redis(s, "XLEN crier:{changes}:dead")->integer, 0);
    entries = index_dump(s->settings, "audit-crier-*");
    assert_non_null(strstr(entries, "\"action\":\"crier.dead.dropped\""));
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_entry_says_who_did_what_to_what_and_when, setup, teardown),
        cmocka_unit_test_setup_teardown(events_whose_data_disagree_in_type_are_all_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(a_template_that_was_edited_is_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(verify_names_the_first_bad_line_and_ends_with_1, setup, teardown),
        cmocka_unit_test_teardown(the_platforms_own_data_stream_takes_each_entry_once, teardown_alone),
        cmocka_unit_test_setup_teardown(what_the_service_does_is_an_entry_whatever_action_and_index_ask_for, NULL,
                                        teardown),
        cmocka_unit_test_teardown(the_file_takes_entries_once_while_the_index_is_away, teardown_alone),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
