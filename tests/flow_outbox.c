/* Events that a platform's transactions leave in its own database, on their way to the stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/outbox_platform.h"
#include "support/outbox_stage.h"

static bool holds(struct span text, const char *part)
{
    return strstr(text.text, part) != NULL;
}

/* ---------------------------------------------------------------------------------------------- what is printed */

/* The example is a comment, with the platform's own statement left out. */
static void run_example(struct outbox_stage *s, const char *sql)
{
    struct buf example = BUF_INIT;
    const char *line = strstr(sql, "-- INSERT INTO"), *end;

    assert_non_null(line);
    assert_non_null(strstr(sql, "-- BEGIN; UPDATE ...;\n-- INSERT INTO"));
    end = strchr(line, '\n');
    buf_add_text(&example, "BEGIN;");
    buf_add(&example, line + 3, (size_t)(end - line - 3));
    postgres_do(s->link, example.data);
    buf_release(&example);
}

static void what_the_verb_prints_makes_an_outbox_that_works(void **state)
{
    struct outbox_stage *s = *state;
    char *sql = outbox_stage_verb(s, 0, (const char *const[]){"sql", "platform", NULL});
    struct event *e;
    char *id;

    postgres_do(s->link, sql); /* a second time: it does no harm */
    run_example(s, sql);
    id = postgres_text(s->link, "SELECT id FROM crier_outbox");
    outbox_stage_relay(s, 1);
    e = outbox_stage_events(s, 1);
    assert_true(span_is(e->id, id));
    assert_true(span_is(e->source, "outbox:platform"));
    assert_true(span_is(e->type, "user.updated"));
    assert_true(span_is(e->subject, "users/42"));
    assert_int_equal(e->revision, 7);
    assert_true(holds(e->data, "\"full_name\":\"Zoë\""));
    assert_true(llabs(e->time_us - clock_wall_us()) < 60 * US_PER_SECOND);
    free(id);
    free(sql);
}

static void a_row_that_was_sent_is_deleted(void **state)
{
    struct outbox_stage *s = *state;

    outbox_platform_insert(s, 1, 10, 3);
    outbox_stage_relay(s, 1);
    outbox_stage_events(s, 10);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
}

static void a_row_that_was_sent_is_marked_where_that_is_wanted(void **state)
{
    struct outbox_stage *s = *state;

    outbox_platform_insert(s, 1, 10, 3);
    outbox_stage_relay(s, 1);
    outbox_stage_wait_rows(s, "crier_outbox WHERE relayed_at IS NOT NULL", 10);
    outbox_platform_insert(s, 11, 5, 3);
    outbox_stage_wait_rows(s, "crier_outbox WHERE relayed_at IS NOT NULL", 15);
    outbox_stage_events(s, 15);
}

static void every_column_becomes_its_attribute(void **state)
{
    struct outbox_stage *s = *state;
    struct event *e;

    postgres_do(s->link,
                "INSERT INTO crier_outbox (id, type, time, subject, actor, operation, traceparent) VALUES"
                " ('00000000-0000-4000-8000-000000000001', 'record.deleted', '2026-11-20 23:40:00.5+02', 'records/a-b',"
                " 'users/7', 'op-1', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')");
    outbox_stage_relay(s, 1);
    e = outbox_stage_events(s, 1);
    assert_true(span_is(e->id, "00000000-0000-4000-8000-000000000001"));
    assert_true(span_is(e->time, "2026-11-20T21:40:00.500000Z"));
    assert_true(span_is(e->subject, "records/a-b"));
    assert_true(span_is(e->actor, "users/7"));
    assert_true(span_is(e->operation, "op-1"));
    assert_true(span_is(e->traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    assert_int_equal(e->revision, REVISION_NONE);
    assert_int_equal(e->data.length, 0);
}

/* ------------------------------------------------------------------------------------------------- order, haste */

static void rows_of_a_subject_keep_their_order_with_three_relays(void **state)
{
    struct outbox_stage *s = *state;

    outbox_platform_insert(s, 1, ROWS / 2, SUBJECTS);
    outbox_stage_relay(s, 3);
    for (int first = ROWS / 2 + 1; first <= ROWS; first += 50)
        outbox_platform_insert(s, first, 50, SUBJECTS);
    outbox_platform_order_kept(outbox_stage_events(s, ROWS), ROWS);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
}

static void subjects_that_another_relay_holds_do_not_stop_the_others(void **state)
{
    struct outbox_stage *s = *state;
    struct postgres *other = postgres_server_link(s->server);

    postgres_do(other, "BEGIN; SELECT pg_advisory_xact_lock(hashtext('crier outbox ' || 'crier_outbox'::regclass::oid),"
                       " hashtext('users/1') & 63)");
    outbox_platform_insert(s, 1, 20, 2);
    outbox_stage_relay(s, 2);
    outbox_stage_events(s, 10);
    assert_int_equal(postgres_number(s->link, "SELECT count(*) FROM crier_outbox WHERE subject = 'users/1'"), 10);
    postgres_do(other, "COMMIT");
    outbox_platform_order_kept(outbox_stage_events(s, 20), 20);
    postgres_free(other);
}

static void a_notification_wakes_the_relay_long_before_the_next_look(void **state)
{
    struct outbox_stage *s = *state;
    int64_t began_ms, longest_ms = 0;

    outbox_stage_relay(s, 1);
    outbox_platform_insert(s, 1, 1, 1);
    outbox_stage_events(s, 1);
    for (size_t i = 2; i <= 20; i++) {
        usleep(20000); /* so that it waits again: not a hope, only nearer to the truth */
        began_ms = clock_monotonic_ms();
        outbox_platform_insert(s, (int)i, 1, 1);
        outbox_stage_events(s, i);
        if (clock_monotonic_ms() - began_ms > longest_ms)
            longest_ms = clock_monotonic_ms() - began_ms;
    }
    print_message("from commit to stream at most %lld ms\n", (long long)longest_ms);
    assert_true(longest_ms < 30000); /* half of poll */
}

int main(void)
{
#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, outbox_platform_close)
    const struct CMUnitTest tests[] = {
        TEST(what_the_verb_prints_makes_an_outbox_that_works, outbox_platform_open),
        TEST(what_the_verb_prints_makes_an_outbox_that_works, outbox_platform_open_mark),
        TEST(a_row_that_was_sent_is_deleted, outbox_platform_open),
        TEST(a_row_that_was_sent_is_marked_where_that_is_wanted, outbox_platform_open_mark),
        TEST(every_column_becomes_its_attribute, outbox_platform_open),
        TEST(rows_of_a_subject_keep_their_order_with_three_relays, outbox_platform_open_crowded),
        TEST(subjects_that_another_relay_holds_do_not_stop_the_others, outbox_platform_open_crowded),
        TEST(a_notification_wakes_the_relay_long_before_the_next_look, outbox_platform_open),
    };

    return cmocka_run_group_tests(tests, outbox_platform_start, outbox_platform_stop);
}
