/* Views from both doors to documents: each counted once, whatever comes twice, late or in another order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "handlers/dirty.h"
#include "notifier/dead.h"
#include "notifier/door.h"
#include "scheduler/lane.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/strict_statistics.h"
#include "support/work.h"

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\n"
                          "[queue statistics]\nevents = record-view file-download\n"
                          "[event record-view]\nprepare = robots machines visitor\n"
                          "unique = data.recid visitor_id time/10s\n"
                          "[handler views]\ntype = statistics\nqueue = statistics\nparallel = 1\n"
                          "index = events-stats-{type}-{time:%Y-%m}\n";

static int setup(void **state)
{
    *state = scene_open(ini);
    return 0;
}

/* ------------------------------------------------------------------------------------------------- the doors */

static void through_http(struct door *door, const char *body)
{
    struct http *http = http_new(&(struct http_options){.connect_ms = 10000, .timeout_ms = 30000});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;
    char url[60];

    snprintf(url, sizeof url, "http://127.0.0.1:%d/events", door_port(door));
    if (!http_send(http,
                   &(struct http_request){.method = "POST",
                                          .url = url,
                                          .content_type = "application/cloudevents+json",
                                          .body = body,
                                          .length = strlen(body)},
                   &reply, &err))
        fail_msg("%s", err.text);
    if (reply.status != 202)
        fail_msg("%ld: %s", reply.status, reply.body.data);
    buf_release(&reply.body);
    http_free(http);
}

static void through_emit(struct scene *s, const char *body)
{
    char path[300], *out = NULL;
    FILE *file;

    snprintf(path, sizeof path, "%s/one.ndjson", test_folder());
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", body);
    fclose(file);
    if (crier_run(&out, (const char *const[]){"emit", "--config", s->config_path, path, NULL}) != 0)
        fail_msg("%s", out);
    free(out);
}

/* Four clicks of one visitor on one record: three within ten seconds, which are one view, and a later one. */
static const char *const clicks[] = {
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"2026-11-01T10:00:01Z\","
    "\"data\":{\"recid\":\"a\",\"session_id\":\"s\",\"user_agent\":\"Firefox/1\",\"referrer\":\"first\"}}",
    "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"2026-11-01T10:00:04Z\","
    "\"data\":{\"recid\":\"a\",\"session_id\":\"s\",\"user_agent\":\"Firefox/1\",\"referrer\":\"second\"}}",
    "{\"specversion\":\"1.0\",\"id\":\"3\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"2026-11-01T10:00:09Z\","
    "\"data\":{\"recid\":\"a\",\"session_id\":\"s\",\"user_agent\":\"Firefox/1\",\"referrer\":\"third\"}}",
    "{\"specversion\":\"1.0\",\"id\":\"4\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"2026-11-01T10:00:12Z\","
    "\"data\":{\"recid\":\"a\",\"session_id\":\"s\",\"user_agent\":\"Firefox/1\",\"referrer\":\"fourth\"}}",
};

static void swap(int *a, int *b)
{
    int kept = *a;

    *a = *b;
    *b = kept;
}

/* In lexicographic order; false after the last. */
static bool next_permutation(int order[4])
{
    int i = 2, j = 3;

    while (i >= 0 && order[i] > order[i + 1])
        i--;
    if (i < 0)
        return false;
    while (order[j] < order[i])
        j--;
    swap(&order[i], &order[j]);
    for (int low = i + 1, high = 3; low < high; low++, high--)
        swap(&order[low], &order[high]);
    return true;
}

/* The salts stay: they belong to the day, not to a run. */
static void forget_all_but_salts(struct scene *s)
{
    const struct reply *keys = scene_redis(s, "KEYS crier:{statistics}*");

    for (size_t i = 0; i < keys->count; i++)
        scene_redis(s, "DEL %s", keys->items[i].text);
    index_delete(s->settings, "events-stats-*");
}

static void whatever_order_and_however_often_the_documents_are_the_same(void **state)
{
    struct scene *s = *state;
    int order[4] = {0, 1, 2, 3}, permutations = 0;
    char *expected = NULL;
    struct error err;
    struct door *door = door_open(s->settings, (const struct door_page[]){{0}}, &err);

    assert_non_null(door);
    do {
        char *documents;

        for (int replay = 0; replay < 5; replay++) {
            for (int i = 0; i < 4; i++)
                if (replay == permutations % 5 && i == permutations % 4)
                    through_emit(s, clicks[order[i]]); /* a process of its own each time: one of twenty */
                else
                    through_http(door, clicks[order[i]]);
            if (replay % 2 == permutations % 2)
                work_off(s, "views"); /* some come after others are already documents */
        }
        work_off(s, "views");
        documents = index_dump(s->settings, "events-stats-*");
        assert_int_equal(index_count(s->settings, "events-stats-*"), 2);
        assert_non_null(strstr(documents, "\"third\""));
        assert_non_null(strstr(documents, "\"fourth\""));
        if (expected)
            assert_string_equal(documents, expected);
        else
            expected = strdup(documents);
        free(documents);
        forget_all_but_salts(s);
        permutations++;
    } while (next_permutation(order));
    assert_int_equal(permutations, 24);
    free(expected);
    door_close(door);
}

static void a_replay_a_month_later_adds_nothing(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "record-view", "0123456789abcdef0123456789abcdef", NULL, -1, "{\"recid\":\"a\"}");
    char *before, *after;

    e.latest_wins = true;
    scene_append(s, &e, 1);
    work_off(s, "views");
    before = index_dump(s->settings, "events-stats-*");
    scene_redis(s, "DEL crier:{statistics}:seen:0123456789abcdef0123456789abcdef"); /* its window is over */
    scene_append(s, &e, 1);
    work_off(s, "views");
    after = index_dump(s->settings, "events-stats-*");
    assert_string_equal(before, after);
    assert_int_equal(index_count(s->settings, "events-stats-*"), 1);
    free(before);
    free(after);
}

/* Two views of one day through the door, by two sessions. */
static void view_on(struct door *door, int64_t time_us)
{
    char time[TIME_TEXT_BYTES], body[400];

    for (int session = 0; session < 2; session++) {
        snprintf(body, sizeof body,
                 "{\"specversion\":\"1.0\",\"id\":\"%d %s\",\"source\":\"r\",\"type\":\"record-view\",\"time\":\"%s\","
                 "\"data\":{\"recid\":\"a\",\"session_id\":\"s%d\",\"user_agent\":\"Firefox/1\"}}",
                 session, time_text(time_us, time), time, session);
        through_http(door, body);
    }
}

/* All that goes of itself by the day after: what was seen within the window, and the salts by their own time. */
static void let_time_pass(struct scene *s, int64_t now_s)
{
    const struct reply *seen = scene_redis(s, "KEYS *:seen:*"), *salts = scene_redis(s, "KEYS crier:{salt}:[0-9]*");

    for (size_t i = 0; i < seen->count; i++)
        scene_redis(s, "DEL %s", seen->items[i].text);
    for (size_t i = 0; i < salts->count; i++)
        if (scene_redis(s, "EXPIRETIME %s", salts->items[i].text)->integer <= now_s)
            scene_redis(s, "DEL %s", salts->items[i].text);
}

static void replayed_a_day_two_or_thirty_later_nothing_is_new_and_after_two_no_salt_is_left(void **state)
{
    static const int64_t views[] = {0, 1, 2, 30}, replays[] = {0, 1, 2, 30};
    struct scene *s = *state;
    struct error err;
    struct door *door = door_open(s->settings, (const struct door_page[]){{0}}, &err);
    int64_t now_s = clock_wall_us() / US_PER_SECOND;
    char *before, *after;

    assert_non_null(door);
    for (size_t i = 0; i < ARRAY_LENGTH(views); i++)
        view_on(door, (now_s - views[i] * 86400) * US_PER_SECOND);
    now_s = clock_wall_us() / US_PER_SECOND; /* all salts are made: perhaps it is another day by now */
    work_off(s, "views");
    before = index_dump(s->settings, "events-stats-*");
    assert_int_equal(index_count(s->settings, "events-stats-*"), 2 * ARRAY_LENGTH(views));
    assert_int_equal(scene_redis(s, "KEYS crier:{salt}:[0-9]*")->count, ARRAY_LENGTH(views));
    for (size_t i = 0; i < ARRAY_LENGTH(replays); i++) {
        let_time_pass(s, now_s + replays[i] * 86400 + 2);
        if (replays[i] >= 2)
            assert_int_equal(scene_redis(s, "KEYS crier:{salt}:[0-9]*")->count, 0);
        scene_redis(s, "XGROUP SETID crier:{statistics}:stream views 0");
        work_off(s, "views");
        assert_int_equal(scene_redis(s, "XLEN crier:{statistics}:stream")->integer, 2 * ARRAY_LENGTH(views));
        after = index_dump(s->settings, "events-stats-*");
        assert_string_equal(before, after);
        free(after);
    }
    assert_int_equal(scene_redis(s, "KEYS crier:{salt}:[0-9]*")->count, 0); /* nor did a replay make one */
    free(before);
    door_close(door);
}

static void data_with_a_time_of_its_own_keeps_it(void **state)
{
    struct scene *s = *state;
    struct event events[] = {
        scene_event(s, "file-download", "a", NULL, -1,
                    "{\"timestamp\":\"2020-01-01T00:00:00\",\"x\":{\"timestamp\":1}}"),
        scene_event(s, "file-download", "b", NULL, -1, "{\"x\":{\"timestamp\":7}}"),
        scene_event(s, "file-download", "c", NULL, -1, NULL),
    };
    char *documents;

    scene_append(s, events, 3);
    work_off(s, "views");
    documents = index_dump(s->settings, "events-stats-file-download-*");
    assert_non_null(
        strstr(documents, "a {\"timestamp\":\"2020-01-01T00:00:00\",\"x\":{\"timestamp\":1},\"unique_id\":\"a\"}"));
    assert_non_null(strstr(documents, "b {\"x\":{\"timestamp\":7},\"timestamp\":\""));
    assert_non_null(strstr(documents, "c {\"timestamp\":\""));
    free(documents);
}

static void one_document_of_a_thousand_that_does_not_fit_is_one_dead_letter(void **state)
{
    enum { COUNT = 1000 };
    struct scene *s = *state;
    static struct event events[COUNT];
    struct dead_letter *letters;
    struct error err;
    size_t count;

    for (int i = 0; i < COUNT; i++) {
        char id[20];

        snprintf(id, sizeof id, "v%d", i);
        events[i] =
            scene_event(s, "record-view", id, NULL, -1, i == 500 ? "{\"timestamp\":\"no time\"}" : "{\"recid\":\"a\"}");
    }
    scene_append(s, events, COUNT);
    work_off(s, "views");
    assert_int_equal(index_count(s->settings, "events-stats-*"), COUNT - 1);
    assert_true(dead_list(s->redis, "statistics", NULL, 10, s->arena, &letters, &count, &err));
    assert_int_equal(count, 1);
    assert_true(span_is(letters[0].event.id, "v500"));
    assert_true(span_is(letters[0].event.data, "{\"timestamp\":\"no time\"}"));
    assert_string_equal(letters[0].handler, "views");
    assert_non_null(strstr(letters[0].reply, "timestamp"));
    assert_int_equal(letters[0].tries, 1);
    assert_int_equal(scene_redis(s, "XPENDING crier:{statistics}:stream views")->items[0].integer, 0);
}

/* ------------------------------------------------------------------------------------------------------- marks */

/* "key@interval key@interval ", those marked first first; gone then. */
static char *marks_of(struct scene *s, const char *handler)
{
    struct buf out = BUF_INIT;
    struct dirty_mark *marks;
    struct error err;
    size_t count;

    if (!dirty_page(s->redis, "statistics", handler, 100, s->arena, &marks, &count, &err) ||
        !dirty_settle(s->redis, "statistics", handler, marks, count, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++) {
        char text[TIME_TEXT_BYTES];

        buf_printf(&out, "%.*s@%s ", (int)marks[i].key.length, marks[i].key.text,
                   time_text(marks[i].interval_us, text));
    }
    return buf_take(&out);
}

static void marks_are(struct scene *s, const char *handler, const char *expected)
{
    char *found = marks_of(s, handler);

    assert_string_equal(found, expected);
    free(found);
}

static void the_keys_of_new_documents_are_marked_each_once_and_of_a_replay_again(void **state)
{
    struct scene *s = *state;
    struct event events[] = {
        scene_event(s, "record-view", "1", NULL, -1, "{\"recid\":\"a\",\"timestamp\":\"2026-11-01T23:59:59\"}"),
        scene_event(s, "record-view", "2", NULL, -1, "{\"recid\":\"a\",\"timestamp\":\"2026-11-01T00:00:00\"}"),
        scene_event(s, "record-view", "3", NULL, -1,
                    "{\"recid\":\"a\",\"size\":1.5,\"timestamp\":\"2026-11-02T00:00:00\"}"),
        scene_event(s, "record-view", "4", NULL, -1,
                    "{\"recid\":\"\xc3\xbc\\\"\\\\ b\",\"timestamp\":\"2024-02-29T12:00:00\"}"),
        scene_event(s, "record-view", "5", NULL, -1, "{\"via_api\":true,\"timestamp\":\"2026-11-03T00:00:00\"}"),
        scene_event(s, "record-view", "6", NULL, -1, "{\"recid\":null,\"timestamp\":\"2026-11-03T00:00:00\"}"),
        scene_event(s, "record-view", "7", NULL, -1, "{\"recid\":[\"x\",\"y\"],\"timestamp\":\"2026-11-03T00:00:00\"}"),
    };
    size_t count = sizeof events / sizeof *events;

    for (int replay = 0; replay < 2; replay++) {
        scene_append(s, events, count);
        work_off(s, "views");
        marks_are(s, "days", "a@2026-11-01T00:00:00Z a@2026-11-02T00:00:00Z \xc3\xbc\"\\ b@2024-02-29T00:00:00Z ");
        marks_are(s, "months", "1.5@2026-11-01T00:00:00Z ");
        for (size_t i = 0; i < count; i++)
            scene_redis(s, "DEL crier:{statistics}:seen:%s", events[i].unique.text);
    }
}

static void what_is_not_marked_is_not_done(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "record-view", "1", NULL, -1, "{\"recid\":\"a\"}");
    struct lane *lane = work_open(s, "views");
    struct error err;
    size_t taken;

    scene_append(s, &e, 1);
    scene_redis(s, "SET crier:{statistics}:dirty:days nonsense"); /* no set: marking fails */
    assert_false(lane_pass(lane, 0, &taken, &err));
    assert_int_equal(index_count(s->settings, "events-stats-views-*"), 1);
    assert_int_equal(lane_tally(lane).done, 0);
    assert_int_equal(scene_redis(s, "XPENDING crier:{statistics}:stream views")->items[0].integer, 1);
    scene_redis(s, "DEL crier:{statistics}:dirty:days");
    assert_true(lane_pass(lane, 0, &taken, &err));
    assert_int_equal(lane_tally(lane).done, 1);
    assert_int_equal(scene_redis(s, "ZCARD crier:{statistics}:dirty:days")->integer, 1);
    lane_leave(lane);
    lane_free(lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_order_and_however_often_the_documents_are_the_same, setup,
                                        index_scene_close),
        cmocka_unit_test_setup_teardown(a_replay_a_month_later_adds_nothing, setup, index_scene_close),
        cmocka_unit_test_setup_teardown(replayed_a_day_two_or_thirty_later_nothing_is_new_and_after_two_no_salt_is_left,
                                        setup, index_scene_close),
        cmocka_unit_test_setup_teardown(data_with_a_time_of_its_own_keeps_it, setup, index_scene_close),
        cmocka_unit_test_setup_teardown(one_document_of_a_thousand_that_does_not_fit_is_one_dead_letter, setup,
                                        index_scene_close),
        cmocka_unit_test_setup_teardown(the_keys_of_new_documents_are_marked_each_once_and_of_a_replay_again,
                                        strict_statistics_setup, index_scene_close),
        cmocka_unit_test_setup_teardown(what_is_not_marked_is_not_done, strict_statistics_setup, index_scene_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
