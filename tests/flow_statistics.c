/* Views from both doors to documents: each counted once, whatever comes twice, late or in another order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "notifier/dead.h"
#include "notifier/door.h"
#include "support/scene.h"
#include "support/search_index.h"
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

static int teardown(void **state)
{
    struct scene *s = *state;

    index_delete(s->settings, "events-stats-*");
    scene_close(s);
    return 0;
}

/* ------------------------------------------------------------------------------------------------- the doors */

static void through_http(struct door *door, const char *body)
{
    struct http *http = http_new(&(struct http_options){.connect_ms = 5000, .timeout_ms = 10000});
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;
    char url[60];

    snprintf(url, sizeof url, "http://127.0.0.1:%d/events", door_port(door));
    if (!http_send(http, &(struct http_request){"POST", url, "application/cloudevents+json", body, strlen(body)},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_order_and_however_often_the_documents_are_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(a_replay_a_month_later_adds_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(data_with_a_time_of_its_own_keeps_it, setup, teardown),
        cmocka_unit_test_setup_teardown(one_document_of_a_thousand_that_does_not_fit_is_one_dead_letter, setup,
                                        teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
