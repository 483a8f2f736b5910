#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "notifier/append.h"
#include "support/scene.h"

static const char ini[] = "[redis]\nurl = REDIS\n"
                          "[queue one]\nevents = user.*\n"
                          "[queue two]\nevents = user.updated record.**\n"
                          "[handler trail]\ntype = audit\nqueue = two\nindex =\n";

static int setup(void **state)
{
    *state = scene_open(ini);
    return 0;
}

static int teardown(void **state)
{
    scene_close(*state);
    return 0;
}

static enum append_outcome append_one(struct scene *s, const struct event *e)
{
    struct append *a = append_new(s->settings, s->redis);
    enum append_outcome outcome;
    struct error err;

    if (!append_events(a, &e, 1, &outcome, &err))
        fail_msg("%s", err.text);
    append_free(a);
    return outcome;
}

static int64_t length_of(struct scene *s, const char *queue)
{
    return scene_redis(s, "XLEN crier:{%s}:stream", queue)->integer;
}

static void an_event_goes_once_into_each_queue_that_wants_it(void **state)
{
    struct scene *s = *state;
    struct event both = scene_event(s, "user.updated", "a", "users/1", 1, "{\"x\":1}");
    struct event first = scene_event(s, "user.created", "b", "users/1", 1, NULL);
    struct event none = scene_event(s, "file.downloaded", "c", NULL, REVISION_NONE, NULL);

    assert_int_equal(append_one(s, &both), APPEND_NEW);
    assert_int_equal(append_one(s, &first), APPEND_NEW);
    assert_int_equal(append_one(s, &none), APPEND_NO_QUEUE);
    assert_int_equal(append_one(s, &both), APPEND_DUPLICATE);
    assert_int_equal(length_of(s, "one"), 2);
    assert_int_equal(length_of(s, "two"), 1);
}

static void a_sender_that_retries_after_a_crash_between_two_queues_reaches_the_second(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "user.updated", "a", "users/1", 1, NULL);

    assert_int_equal(append_one(s, &e), APPEND_NEW);
    scene_redis(s, "DEL crier:{two}:stream crier:{two}:seen:a"); /* as if the crash came before the second queue */
    assert_int_equal(append_one(s, &e), APPEND_NEW);
    assert_int_equal(length_of(s, "one"), 1);
    assert_int_equal(length_of(s, "two"), 1);
}

static void of_several_events_with_a_computed_id_only_later_ones_are_appended(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "record.viewed", "a", NULL, REVISION_NONE, NULL);

    e.latest_wins = true;
    e.time_us = 2000;
    assert_int_equal(append_one(s, &e), APPEND_NEW);
    e.time_us = 1000;
    assert_int_equal(append_one(s, &e), APPEND_DUPLICATE);
    e.time_us = 2000;
    assert_int_equal(append_one(s, &e), APPEND_DUPLICATE);
    e.time_us = 3000;
    assert_int_equal(append_one(s, &e), APPEND_NEW);
    assert_int_equal(length_of(s, "two"), 2);
}

static void a_batch_of_thousands_keeps_its_order_and_finds_its_own_duplicates(void **state)
{
    enum { COUNT = 3000 };
    struct scene *s = *state;
    struct append *a = append_new(s->settings, s->redis);
    static struct event events[COUNT];
    static const struct event *list[COUNT];
    static enum append_outcome outcomes[COUNT];
    struct error err;
    char id[20];

    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "e%d", i % (COUNT - 1)); /* the last one repeats the first */
        events[i] = scene_event(s, "user.updated", id, "users/1", i, NULL);
        list[i] = &events[i];
    }
    assert_true(append_events(a, list, COUNT, outcomes, &err));
    for (int i = 0; i < COUNT - 1; i++)
        assert_int_equal(outcomes[i], APPEND_NEW);
    assert_int_equal(outcomes[COUNT - 1], APPEND_DUPLICATE);
    assert_int_equal(length_of(s, "one"), COUNT - 1);
    assert_string_equal(scene_redis(s, "XRANGE crier:{one}:stream - + COUNT 1")->items[0].items[1].items[1].text, "e0");
    append_free(a);
}

static void what_the_service_does_itself_reaches_the_audit_whatever_the_patterns_say(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "crier.dead.dropped", "a", "dead/1-1", REVISION_NONE, NULL);

    assert_int_equal(append_one(s, &e), APPEND_NEW);
    assert_int_equal(length_of(s, "two"), 1);
    assert_int_equal(length_of(s, "one"), 0);
}

static void a_redis_without_memory_takes_nothing_and_says_so(void **state)
{
    struct scene *s = *state;
    struct append *a = append_new(s->settings, s->redis);
    struct event e = scene_event(s, "user.created", "a", "users/1", 1, NULL);
    const struct event *one = &e;
    enum append_outcome outcome;
    struct error err;

    scene_redis(s, "CONFIG SET maxmemory 1");
    assert_false(append_events(a, &one, 1, &outcome, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_non_null(strstr(err.text, "OOM"));
    assert_int_equal(outcome, APPEND_UNKNOWN);
    scene_redis(s, "CONFIG SET maxmemory 0");
    assert_true(append_events(a, &one, 1, &outcome, &err)); /* the refused one left no trace */
    assert_int_equal(outcome, APPEND_NEW);
    append_free(a);
}

static void forgotten_scripts_are_loaded_again(void **state)
{
    struct scene *s = *state;
    struct event e = scene_event(s, "user.created", "a", "users/1", 1, NULL);

    assert_int_equal(append_one(s, &e), APPEND_NEW);
    scene_redis(s, "SCRIPT FLUSH");
    e.unique = span_of("b");
    assert_int_equal(append_one(s, &e), APPEND_NEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_goes_once_into_each_queue_that_wants_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sender_that_retries_after_a_crash_between_two_queues_reaches_the_second,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(of_several_events_with_a_computed_id_only_later_ones_are_appended, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_batch_of_thousands_keeps_its_order_and_finds_its_own_duplicates, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_the_service_does_itself_reaches_the_audit_whatever_the_patterns_say, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_redis_without_memory_takes_nothing_and_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(forgotten_scripts_are_loaded_again, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
