/* Events are kept in an index as they came, and shown so. */
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
#include "support/history_stage.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static void an_event_is_shown_as_it_came(void **state)
{
    char *out;
    struct error err;
    json_t *event;

    assert_int_equal(history_verb(*state, &out, "show", "e2", NULL), 0);
    event = json_text_parse(out, strlen(out), 64, &err);
    if (!event)
        fail_msg("%s: %s", err.text, out);
    assert_string_equal(json_member_text(event, "type", ""), "user.updated");
    assert_int_equal(json_integer_value(json_object_get(event, "revision")), 1);
    assert_int_equal(json_array_size(json_at(event, "data.a.b")), 2);
    json_decref(event);
    free(out);
    assert_int_equal(history_verb(*state, &out, "show", "e9", NULL), 1);
    free(out);
    assert_int_equal(history_verb(*state, &out, "show", NULL, NULL), 2);
    free(out);
}

static void no_form_shows_what_moves_a_cursor(void **state)
{
    static const char *const forms[][2] = {
        {"--csv",     NULL},
        {"--limit=5", NULL},
        {"--json",    NULL},
        {"show",      "e5"}
    };

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        char *out;

        assert_int_equal(history_verb(*state, &out, forms[i][0], forms[i][1], NULL), 0);
        assert_non_null(strstr(out, "record.file.added"));
        for (const char *c = out; *c; c++)
            assert_true(*c == '\n' || *c == '\r' || (*c >= 0x20 && *c < 0x7f));
        free(out);
    }
}

static void data_is_kept_and_not_indexed(void **state)
{
    struct scene *s = *state;
    char path[200];
    json_t *mapping, *one;

    snprintf(path, sizeof path, "/%shistory-2026-11/_mapping", s->settings->opensearch.prefix);
    mapping = index_ask(s->settings, "GET", path, NULL);
    one = json_object_iter_value(json_object_iter(mapping));
    assert_true(json_is_false(json_at(one, "mappings.properties.data.enabled")));
    assert_null(json_at(one, "mappings.properties.data.properties"));
    assert_null(json_at(one, "mappings.properties.crierclick"));
    json_decref(mapping);
}

/* A month is an index of its own; the same events again change no document. */
static void an_event_that_comes_again_changes_nothing(void **state)
{
    struct scene *s = *state;
    char *before = index_dump(s->settings, "history-*"), *after;
    int64_t writes = index_writes(s->settings, "history-2026-11");

    assert_int_equal(index_count(s->settings, "history-2026-10"), 1);
    for (size_t i = 0; i < ARRAY_LENGTH(history_deeds); i++) {
        struct event e = history_event(s, i);

        scene_redis(s, "DEL crier:{q}:seen:u%s", history_deeds[i].id); /* as when its time is over */
        scene_append(s, &e, 1);
    }
    assert_int_equal(scene_redis(s, "XLEN crier:{q}:stream")->integer, 2 * ARRAY_LENGTH(history_deeds));
    work_off(s, "past");
    after = index_dump(s->settings, "history-*");
    assert_string_equal(after, before);
    assert_int_equal(index_writes(s->settings, "history-2026-11"), writes);
    free(before);
    free(after);
}

/* Of events that share an id computed from fields, as clicks do, the latest is the state. */
static void the_latest_of_several_with_one_id_stays(void **state)
{
    static const char *const times[] = {"2026-11-20T10:00:01Z", "2026-11-20T10:00:03Z", "2026-11-20T10:00:02Z"};
    struct scene *s = *state;
    char *out;

    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        struct event e = scene_event(s, "record.viewed", arena_printf(s->arena, "v%zu", i), "records/1", 0, "{}");

        e.time = span_of(times[i]);
        e.unique = span_of("same");
        e.latest_wins = true;
        assert_true(time_parse(times[i], strlen(times[i]), false, &e.time_us));
        scene_append(s, &e, 1);
    }
    work_off(s, "past");
    index_count(s->settings, "history-*");
    assert_int_equal(history_verb(s, &out, "--id", "same", "--csv"), 0);
    assert_string_equal(
        out, "time,type,subject,actor,operation,id\r\n2026-11-20T10:00:03Z,record.viewed,records/1,,,v1\r\n");
    free(out);
}

/* Text of so many bytes as an object. */
static char *long_data(struct scene *s, size_t length)
{
    char *filling = arena_zero(s->arena, length + 1);

    memset(filling, 'x', length);
    return arena_printf(s->arena, "{\"long\":\"%s\"}", filling);
}

static void data_that_is_too_long_is_left_out_and_said(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "big.one", "b1", "bigs/1", 3, long_data(s, 1024 * 1024));
    char *out;

    e.time = span_of("2026-11-21T10:00:00Z");
    scene_append(s, &e, 1);
    work_off(s, "past");
    index_count(s->settings, "history-*");
    assert_int_equal(history_verb(s, &out, "show", "b1", NULL), 0);
    assert_null(strstr(out, "xxx"));
    assert_non_null(strstr(out, "\"crierleftout\": 1048587"));
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_is_shown_as_it_came, history_stage_open, history_stage_close),
        cmocka_unit_test_setup_teardown(no_form_shows_what_moves_a_cursor, history_stage_open, history_stage_close),
        cmocka_unit_test_setup_teardown(data_is_kept_and_not_indexed, history_stage_open, history_stage_close),
        cmocka_unit_test_setup_teardown(an_event_that_comes_again_changes_nothing, history_stage_open,
                                        history_stage_close),
        cmocka_unit_test_setup_teardown(the_latest_of_several_with_one_id_stays, history_stage_open,
                                        history_stage_close),
        cmocka_unit_test_setup_teardown(data_that_is_too_long_is_left_out_and_said, history_stage_open,
                                        history_stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
