/* Copies follow their subject: in one search and few writes, at the newest revision, whatever others write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "notifier/dead.h"
#include "support/denormalize_stage.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static int setup_clear(void **state)
{
    denormalize_stage_open(state, HANDLER("on_delete = clear\n"));
    return 0;
}

static void a_hundred_changes_of_one_user_cost_one_search_and_one_write_a_dependent(void **state)
{
    struct scene *s = *state;
    struct event events[100];
    int64_t writes, searches;
    char *documents;

    denormalize_load(s, 300, 3);
    writes = index_writes(s->settings, "members");
    searches = index_searches(s->settings, "members");
    for (int i = 0; i < 100; i++)
        events[i] = denormalize_change(s, 1, 2 + (i * 37) % 100); /* out of order */
    scene_append(s, events, 100);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(denormalize_occurrences(documents, "\"user\":{\"id\":\"1\",\"name\":\"User 1 at 101\",\"@v\":101,"
                                                        "\"affiliation\":\"I101\"}"),
                     100);
    assert_int_equal(denormalize_occurrences(documents, "\"name\":\"old\""), 200);
    assert_int_equal(denormalize_occurrences(documents, "\"weight\":0.1,"), 300);
    assert_int_equal(index_writes(s->settings, "members") - writes, 100);
    /* how many there are, the documents, whether another wrote meanwhile; and index_dump's */
    assert_int_equal(index_searches(s->settings, "members") - searches, 4);
    free(documents);
}

static void an_old_revision_that_comes_late_changes_nothing(void **state)
{
    struct scene *s = *state;
    struct event newer = denormalize_change(s, 1, 5), older = denormalize_change(s, 1, 4),
                 same = denormalize_change(s, 1, 5);
    int64_t writes;
    char *before, *after;

    denormalize_load(s, 20, 2);
    scene_append(s, &newer, 1);
    work_off(s, "members");
    before = index_dump(s->settings, "members");
    writes = index_writes(s->settings, "members");
    same.id = same.unique = span_of("again");
    scene_append(s, &older, 1);
    work_off(s, "members");
    scene_append(s, &same, 1);
    work_off(s, "members");
    after = index_dump(s->settings, "members");
    assert_string_equal(before, after);
    assert_int_equal(index_writes(s->settings, "members"), writes);
    free(before);
    free(after);
}

static void a_document_written_by_others_meanwhile_keeps_what_they_wrote(void **state)
{
    struct scene *s = *state;
    struct event e = denormalize_change(s, 1, 2);
    char lines[300], *documents;

    denormalize_load(s, 2, 2);
    /* written, not yet visible to a search, when the handler begins */
    snprintf(lines, sizeof lines,
             "{\"index\":{\"_index\":\"%smembers\",\"_id\":\"m00001\"}}\n"
             "{\"role\":\"owner\",\"user\":{\"id\":\"1\",\"name\":\"old\",\"@v\":1}}\n",
             s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "POST", "/_bulk", lines));
    scene_append(s, &e, 1);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_non_null(strstr(documents, "m00001 {\"role\":\"owner\",\"user\":{\"id\":\"1\",\"name\":\"User 1 at 2\""));
    free(documents);
}

static void a_user_who_is_gone_is_cleared_and_does_not_come_back(void **state)
{
    struct scene *s = *state;
    struct event gone = scene_event(s, "user.deleted", "gone", "users/1", 7, NULL), late = denormalize_change(s, 1, 6);
    char *documents;

    denormalize_load(s, 4, 2);
    scene_append(s, &gone, 1);
    work_off(s, "members");
    scene_append(s, &late, 1);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(denormalize_occurrences(documents, "\"user\":{\"id\":\"1\",\"@v\":7}"), 2);
    assert_int_equal(denormalize_occurrences(documents, "\"name\":\"old\""), 2);
    free(documents);
}

static void events_that_cannot_be_spread_are_dead_letters_with_the_reason(void **state)
{
    struct scene *s = *state;
    struct event events[] = {
        scene_event(s, "user.updated", "a", NULL, 1, "{\"full_name\":\"x\"}"),
        scene_event(s, "user.updated", "b", "users/1", 2, NULL),
        scene_event(s, "user.updated", "c", "users/0", 2, "{\"other\":1}"),
    };
    static const char *const reasons[] = {"no subject", "data cannot be used", "none of the fields"};
    struct dead_letter *letters;
    struct error err;
    size_t count;

    denormalize_load(s, 2, 2);
    scene_append(s, events, 3);
    work_off(s, "members");
    assert_true(dead_list(s->redis, "changes", NULL, 10, s->arena, &letters, &count, &err));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_non_null(strstr(letters[i].reason, reasons[i]));
}

static size_t dead_count(struct scene *s)
{
    struct dead_letter *letters;
    struct error err;
    size_t count;

    assert_true(dead_list(s->redis, "changes", NULL, 10, s->arena, &letters, &count, &err));
    return count;
}

static void where_the_newest_cannot_be_spread_the_one_before_it_is(void **state)
{
    struct scene *s = *state;
    struct event events[] = {
        denormalize_change(s, 0, 2),
        scene_event(s, "user.updated", "light", "users/0", 3, NULL),
        scene_event(s, "user.updated", "other", "users/0", 4, "{\"other\":1}"),
    };
    char *documents;

    denormalize_load(s, 2, 2);
    scene_append(s, events, 3);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(denormalize_occurrences(documents, "User 0 at 2"), 1);
    assert_int_equal(dead_count(s), 2);
    free(documents);
}

/* How deep an event may be is the door's to say. */
static void data_nested_deeply_is_spread_all_the_same(void **state)
{
    enum { LEVELS = 200 };
    struct scene *s = *state;
    struct buf data = BUF_INIT;
    struct event e;
    char *documents;

    buf_add_text(&data, "{\"full_name\":\"deep\",\"other\":");
    for (int i = 0; i < LEVELS; i++)
        buf_add_char(&data, '[');
    for (int i = 0; i < LEVELS; i++)
        buf_add_char(&data, ']');
    buf_add_char(&data, '}');
    e = scene_event(s, "user.updated", "deep", "users/1", 2, data.data);
    denormalize_load(s, 2, 2);
    scene_append(s, &e, 1);
    work_off(s, "members");
    documents = index_dump(s->settings, "members");
    assert_int_equal(denormalize_occurrences(documents, "\"name\":\"deep\""), 1);
    free(documents);
    buf_release(&data);
}

static void one_change_reaches_its_thousand_dependents_soon(void **state)
{
    struct scene *s = *state;
    struct event e = denormalize_change(s, 1, 2);
    struct server *serve;
    int64_t start_ms;
    char *documents = NULL;
    bool done = false;

    denormalize_load(s, 2000, 2);
    serve = crier_serve_start(s->config_path);
    start_ms = clock_monotonic_ms();
    scene_append(s, &e, 1);
    while (!done && clock_monotonic_ms() - start_ms < 60000) {
        free(documents);
        documents = index_dump(s->settings, "members");
        done = denormalize_occurrences(documents, "User 1 at 2") == 1000;
    }
    print_message("1,000 dependents after %lld ms\n", (long long)(clock_monotonic_ms() - start_ms));
    assert_true(done); /* how long it took is printed: a shared machine makes no test of it */
    free(documents);
    server_stop(serve);
    server_free(serve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_hundred_changes_of_one_user_cost_one_search_and_one_write_a_dependent,
                                        denormalize_stage_setup, denormalize_stage_close),
        cmocka_unit_test_setup_teardown(an_old_revision_that_comes_late_changes_nothing, denormalize_stage_setup,
                                        denormalize_stage_close),
        cmocka_unit_test_setup_teardown(a_document_written_by_others_meanwhile_keeps_what_they_wrote,
                                        denormalize_stage_setup, denormalize_stage_close),
        cmocka_unit_test_setup_teardown(a_user_who_is_gone_is_cleared_and_does_not_come_back, setup_clear,
                                        denormalize_stage_close),
        cmocka_unit_test_setup_teardown(events_that_cannot_be_spread_are_dead_letters_with_the_reason,
                                        denormalize_stage_setup, denormalize_stage_close),
        cmocka_unit_test_setup_teardown(where_the_newest_cannot_be_spread_the_one_before_it_is, denormalize_stage_setup,
                                        denormalize_stage_close),
        cmocka_unit_test_setup_teardown(data_nested_deeply_is_spread_all_the_same, denormalize_stage_setup,
                                        denormalize_stage_close),
        cmocka_unit_test_setup_teardown(one_change_reaches_its_thousand_dependents_soon, denormalize_stage_setup,
                                        denormalize_stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
