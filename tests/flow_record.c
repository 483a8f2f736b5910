/* Events to documents: the newest revision of each stays, whatever the order, and what was deleted stays so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "handlers/tombstone.h"
#include "notifier/dead.h"
#include "support/record_stage.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static int setup_part(void **state)
{
    record_stage_open(state,
                      HANDLER("document = data.record\nid = {subject.kind}-{subject.id}\nrouting = {data.site}\n"));
    return 0;
}

/* ------------------------------------------------------------------------------------------------- by the event */

static void a_document_is_the_data_of_its_event_at_the_events_revision(void **state)
{
    struct scene *s = *state;

    json_t *answer;

    record_handle(s, "updated", "a", 7, "{\"n\":1,\"t\":\"\\u00e9\",\"x\":1.50}");
    record_documents_are(s, "a {\"n\":1,\"t\":\"\u00e9\",\"x\":1.5}\n");
    answer = index_ask(s->settings, "GET",
                       arena_printf(s->arena, "/%sdocuments/_doc/a", s->settings->opensearch.prefix), NULL);
    assert_int_equal(json_integer_value(json_object_get(answer, "_version")), 7);
    json_decref(answer);
}

static void a_batch_writes_each_document_once_at_its_newest_revision(void **state)
{
    struct scene *s = *state;
    struct event events[60];
    char data[40];
    int64_t writes = index_writes(s->settings, "documents");

    for (int i = 0; i < 60; i++) {
        int revision = 1 + (i * 7) % 20;

        snprintf(data, sizeof data, "{\"n\":%d}", revision);
        events[i] = record_event(s, "updated", i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c", revision, data);
    }
    scene_append(s, events, 60);
    work_off(s, "documents");
    record_documents_are(s, "a {\"n\":20}\nb {\"n\":20}\nc {\"n\":20}\n");
    assert_int_equal(index_writes(s->settings, "documents") - writes, 3);
}

static void part_of_the_data_goes_to_an_id_and_a_routing_of_its_own(void **state)
{
    struct scene *s = *state;

    record_handle(s, "updated", "a", 1, "{\"site\":\"x y\",\"record\":{\"n\":1}}");
    record_handle(s, "updated", "b", 1, "{\"site\":\"z\",\"record\":{\"n\":2}}");
    record_handle(s, "deleted", "b", 2, "{\"site\":\"z\"}");
    record_documents_are(s, "records-a {\"n\":1}\n");
}

static void an_event_that_makes_no_document_is_a_dead_letter_with_the_reason(void **state)
{
    static const char *const reasons[] = {"no document", "no revision", "no subject", "no revision"};
    struct scene *s = *state;
    struct event events[] = {
        record_event(s, "updated", "a", 1, NULL),
        record_event(s, "updated", "b", REVISION_NONE, "{}"),
        scene_event(s, "record.updated", "none", NULL, 1, "{}"),
        record_event(s, "deleted", "c", REVISION_NONE, NULL),
        record_event(s, "updated", "d", 1, "{\"n\":1}"),
    };
    struct dead_letter *letters;

    scene_append(s, events, 5);
    work_off(s, "documents");
    letters = record_dead_letters(s, 4);
    for (size_t i = 0; i < 4; i++)
        assert_non_null(strstr(letters[i].reason, reasons[i]));
    record_documents_are(s, "d {\"n\":1}\n");
}

static void where_the_newest_is_refused_the_one_before_it_stays(void **state)
{
    struct scene *s = *state;
    struct event events[] = {
        record_event(s, "updated", "a", 1, "{\"n\":1}"),
        record_event(s, "updated", "a", 3, "{\"n\":\"none\"}"),
        record_event(s, "updated", "a", 2, "{\"n\":2}"),
        record_event(s, "updated", "b", 1, "{\"n\":3}"),
    };

    scene_append(s, events, 4);
    work_off(s, "documents");
    assert_non_null(strstr(record_dead_letters(s, 1)->reply, "mapper_parsing"));
    record_documents_are(s, "a {\"n\":2}\nb {\"n\":3}\n");
}

/* ---------------------------------------------------------------------------------------------------- deletions */

/* What all of this is about. */
static void opensearch_forgets_a_deletion_and_takes_what_is_older(void **state)
{
    struct scene *s = *state;

    record_ask(s, "PUT", "/_doc/a?version=5&version_type=external", "{}");
    record_ask(s, "DELETE", "/_doc/a?version=7&version_type=external", NULL);
    assert_false(record_try_put(s, "/_doc/a?version=6&version_type=external", "{\"n\":6}"));
    record_forget(s);
    assert_true(record_try_put(s, "/_doc/a?version=6&version_type=external", "{\"n\":6}"));
}

/* FT-32 */
static void what_was_deleted_does_not_come_back_at_its_version_or_below(void **state)
{
    struct scene *s = *state;

    record_handle(s, "updated", "a", 5, "{\"n\":5}");
    record_handle(s, "deleted", "a", 7, NULL);
    record_handle(s, "updated", "a", 6, "{\"n\":6}");
    record_documents_are(s, "");
    record_forget(s);
    record_handle(s, "updated", "a", 6, "{\"n\":6}");
    record_handle(s, "created", "a", 7, "{\"n\":7}");
    record_documents_are(s, "");
    record_ask(s, "POST", "/_close", NULL); /* as a restart does, it forgets what is not in the index */
    record_ask(s, "POST", "/_open?wait_for_active_shards=1", NULL);
    record_handle(s, "updated", "a", 6, "{\"n\":6}");
    record_documents_are(s, "");
    assert_int_equal(record_tombstone(s, "a"), 7);
    record_handle(s, "created", "a", 8, "{\"n\":8}");
    record_documents_are(s, "a {\"n\":8}\n");
    assert_int_equal(record_tombstone(s, "a"), TOMBSTONE_NONE);
    record_handle(s, "deleted", "a", 7, NULL);
    record_handle(s, "updated", "a", 6, "{\"n\":6}");
    record_documents_are(s, "a {\"n\":8}\n");
    record_dead_letters(s, 0);
}

/* A platform that counts no revision for a deletion says the last one again. */
static void a_deletion_at_the_documents_own_revision_deletes(void **state)
{
    struct scene *s = *state;

    record_handle(s, "updated", "a", 5, "{\"n\":5}");
    record_handle(s, "deleted", "a", 5, NULL);
    record_forget(s);
    record_handle(s, "updated", "a", 5, "{\"n\":5}");
    record_documents_are(s, "");
}

static void tombstones_keep_versions_of_63_bits_and_end_by_themselves(void **state)
{
    struct scene *s = *state;
    struct tombstone t[] = {
        {"documents", span_of("a"), INT64_MAX - 1, false},
        {"documents", span_of("b"), 9,             true },
    };
    struct error err;

    assert_true(tombstones_raise(s->redis, "changes", t, 2, 600000, s->arena, &err));
    t[0].version = INT64_MAX - 2;
    t[1].version = 10;
    assert_true(tombstones_raise(s->redis, "changes", t, 2, 600000, s->arena, &err));
    assert_int_equal(t[0].version, INT64_MAX - 1);
    assert_int_equal(t[1].version, 10);
    assert_true(scene_redis(s, "PTTL crier:{changes}:tombstone:documents/a")->integer > 500000);
    t[0].version = INT64_MAX - 1;
    t[1].version = 11;
    assert_true(tombstones_remove(s->redis, "changes", t, 2, s->arena, &err));
    assert_int_equal(record_tombstone(s, "a"), INT64_MAX - 1);
    assert_int_equal(record_tombstone(s, "b"), TOMBSTONE_NONE);
    t[1].version = 12;
    assert_true(tombstones_raise(s->redis, "changes", t, 2, 1, s->arena, &err));
    for (int64_t until_ms = clock_monotonic_ms() + 60000; record_tombstone(s, "b") != TOMBSTONE_NONE;)
        assert_true(clock_monotonic_ms() < until_ms);
}

enum { ORDERS = 24, STEPS = 4 };

/* The order-th permutation of 0..3. */
static void permute(int order, int out[STEPS])
{
    int left[STEPS] = {0, 1, 2, 3}, count = STEPS;

    for (int i = 0; i < STEPS; i++, count--) {
        int at = order % count;

        order /= count;
        out[i] = left[at];
        memmove(left + at, left + at + 1, (size_t)(STEPS - at - 1) * sizeof *left);
    }
}

/* The four events of the life of a subject, of either kind: gone for good, or there again. */
static struct event life(struct scene *s, const char *subject, int step, bool again)
{
    static const char *const ends_gone[] = {"created", "updated", "updated", "deleted"};
    static const char *const ends_there[] = {"created", "updated", "deleted", "created"};
    const char *what = again ? ends_there[step] : ends_gone[step];
    char data[40];

    snprintf(data, sizeof data, "{\"n\":%d}", step);
    return record_event(s, what, subject, step + 1, strcmp(what, "deleted") == 0 ? NULL : data);
}

/* A subject for each order and kind; one event of each at a time, then all of them again. */
static void every_order_of_events_ends_the_same_also_when_they_come_again(void **state)
{
    struct scene *s = *state;
    struct event events[2 * ORDERS];
    struct buf expected = BUF_INIT;
    char subject[20];

    for (int round = 0; round < 2 * STEPS; round++) {
        for (int i = 0; i < 2 * ORDERS; i++) {
            int steps[STEPS];

            permute(i % ORDERS, steps);
            snprintf(subject, sizeof subject, "%s%02d", i < ORDERS ? "gone" : "there", i % ORDERS);
            events[i] = life(s, subject, steps[round % STEPS], i >= ORDERS);
        }
        scene_append(s, events, 2 * ORDERS);
        work_off(s, "documents");
        record_forget(s);
    }
    for (int i = 0; i < ORDERS; i++)
        buf_printf(&expected, "there%02d {\"n\":3}\n", i);
    record_documents_are(s, expected.data);
    record_dead_letters(s, 0);
    buf_release(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_document_is_the_data_of_its_event_at_the_events_revision, record_stage_setup,
                                        record_stage_close),
        cmocka_unit_test_setup_teardown(a_batch_writes_each_document_once_at_its_newest_revision, record_stage_setup,
                                        record_stage_close),
        cmocka_unit_test_setup_teardown(part_of_the_data_goes_to_an_id_and_a_routing_of_its_own, setup_part,
                                        record_stage_close),
        cmocka_unit_test_setup_teardown(an_event_that_makes_no_document_is_a_dead_letter_with_the_reason,
                                        record_stage_setup, record_stage_close),
        cmocka_unit_test_setup_teardown(where_the_newest_is_refused_the_one_before_it_stays, record_stage_setup,
                                        record_stage_close),
        cmocka_unit_test_setup_teardown(opensearch_forgets_a_deletion_and_takes_what_is_older, record_stage_setup,
                                        record_stage_close),
        cmocka_unit_test_setup_teardown(what_was_deleted_does_not_come_back_at_its_version_or_below, record_stage_setup,
                                        record_stage_close),
        cmocka_unit_test_setup_teardown(a_deletion_at_the_documents_own_revision_deletes, record_stage_setup,
                                        record_stage_close),
        cmocka_unit_test_setup_teardown(tombstones_keep_versions_of_63_bits_and_end_by_themselves, record_stage_setup,
                                        record_stage_close),
        cmocka_unit_test_setup_teardown(every_order_of_events_ends_the_same_also_when_they_come_again,
                                        record_stage_setup, record_stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
