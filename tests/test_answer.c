/* What a program outside says of events, and who is at fault where it says nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "handlers/outside/answer.h"
#include "handlers/outside/trial.h"

enum { EVENTS = 3 };

/* One letter an event: - none, d done, r retry, x dead; and whether all of it was understood. */
static void check(const char *answer, bool one, const char *outcomes, bool understood)
{
    static const char letters[] = {'-', 'd', 'r', 'w', 'x'};
    struct delivery items[EVENTS] = {{.event.id = {"a", 1}}, {.event.id = {"b", 1}}, {.event.id = {"c", 1}}};
    struct batch batch = {.arena = arena_new(), .items = items, .count = EVENTS};
    char found[EVENTS + 1] = "";
    struct parcel p;
    struct error err = ERROR_INIT;
    bool ok;

    parcel_init(&p, &batch);
    assert_true(parcel_fill(&p, EVENTS));
    ok = one ? answer_one(&p, answer, strlen(answer), &err) : answer_all(&p, answer, strlen(answer), &err);
    for (int i = 0; i < EVENTS; i++)
        found[i] = letters[items[i].outcome];
    if (strcmp(found, outcomes) != 0 || ok != understood)
        fail_msg("%s: %s, %s", answer, found, err.text);
    assert_true(ok || (err.kind == ERROR_INPUT && err.text[0]));
    arena_free(batch.arena);
}

static void one_outcome_is_of_the_event_it_names(void **state)
{
    (void)state;
    check("{\"id\":\"b\",\"outcome\":\"done\"}", true, "-d-", true);
    check(" {\"outcome\":\"dead\",\"more\":{\"x\":[]},\"id\":\"\\u0061\"} ", true, "x--", true);
    check("{\"id\":\"c\",\"outcome\":\"retry\",\"reason\":7}", true, "--r", true);
    check("{\"id\":\"d\",\"outcome\":\"done\"}", true, "---", false);
    check("{\"id\":\"a\",\"outcome\":\"Done\"}", true, "---", false);
    check("{\"id\":\"a\"}", true, "---", false);
    check("{\"id\":1,\"outcome\":\"done\"}", true, "---", false);
    check("{\"id\":\"a\",\"id\":\"b\",\"outcome\":\"done\"}", true, "---", false);
    check("{\"id\":\"a\",\"outcome\":\"done\"", true, "---", false);
    check("[{\"id\":\"a\",\"outcome\":\"done\"}]", true, "---", false);
    check("hello", true, "---", false);
    check("", true, "---", false);
}

static void several_outcomes_are_of_the_events_they_name_or_of_all_in_their_order(void **state)
{
    (void)state;
    check("{\"outcomes\":[{\"id\":\"c\",\"outcome\":\"done\"},{\"id\":\"a\",\"outcome\":\"dead\"}]}", false, "x-d",
          true);
    check("[{\"id\":\"c\",\"outcome\":\"done\"},{\"id\":\"c\",\"outcome\":\"dead\"}]", false, "--d", true);
    check("[{\"id\":\"c\",\"outcome\":\"done\"},{\"id\":\"z\",\"outcome\":\"dead\"},{\"id\":\"a\",\"outcome\":"
          "\"retry\"}]",
          false, "r-d", false);
    check("[{\"id\":\"c\",\"outcome\":\"done\"},7,{\"outcome\":\"done\"}]", false, "--d", false);
    check("[{\"outcome\":\"done\"},{\"outcome\":\"retry\"},{\"outcome\":\"dead\"}]", false, "drx", true);
    check("[{\"outcome\":\"done\"},{\"outcome\":\"done\"}]", false, "---", false);
    check("[{\"outcome\":\"done\"},{},{\"outcome\":\"done\"}]", false, "d-d", false);
    check("{\"outcomes\":{}}", false, "---", false);
    check("{\"outcomes\":[]}", false, "---", false);
    check("{\"ok\":true}", false, "---", false);
    check("[{\"outcome\":\"done\"},{\"outcome\":", false, "---", false);
}

static void events_of_one_id_go_one_after_the_other(void **state)
{
    struct delivery items[4] = {{.event.id = {"a", 1}}, {.event.id = {"b", 1}}, {.event.id = {"a", 1}}};
    struct batch batch = {.arena = arena_new(), .items = items, .count = 3};
    struct parcel p;

    (void)state;
    parcel_init(&p, &batch);
    assert_true(parcel_fill(&p, 10));
    assert_int_equal(p.count, 2);
    parcel_settle_open(&p, OUTCOME_DONE, NULL, NULL);
    assert_true(parcel_fill(&p, 10));
    assert_int_equal(p.count, 1);
    assert_ptr_equal(p.items[0], &items[2]);
    parcel_settle_open(&p, OUTCOME_DONE, NULL, NULL);
    assert_false(parcel_fill(&p, 10));
    arena_free(batch.arena);
}

static void an_event_is_at_fault_alone_and_only_after_the_peer_was_seen_to_work(void **state)
{
    struct trial t;

    (void)state;
    trial_init(&t, 100);
    assert_int_equal(trial_failed(&t, 100), OUTCOME_NONE);
    assert_int_equal(t.most, 50);
    t.most = 1;
    for (int i = 0; i < 4; i++)
        assert_int_equal(trial_failed(&t, 1), OUTCOME_NONE);
    assert_int_equal(trial_failed(&t, 1), OUTCOME_WAIT); /* nobody has seen it work */
    trial_passed(&t, 1, 10);
    assert_int_equal(t.most, 2);
    assert_int_equal(trial_failed(&t, 1), OUTCOME_RETRY);
    assert_int_equal(trial_failed(&t, 1), OUTCOME_NONE); /* in an outage no second event loses a try */
    trial_passed(&t, 2, 10000);
    assert_int_equal(t.most, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_outcome_is_of_the_event_it_names),
        cmocka_unit_test(several_outcomes_are_of_the_events_they_name_or_of_all_in_their_order),
        cmocka_unit_test(events_of_one_id_go_one_after_the_other),
        cmocka_unit_test(an_event_is_at_fault_alone_and_only_after_the_peer_was_seen_to_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
