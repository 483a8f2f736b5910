/* Events that a platform's transactions leave in its own database, on their way to the stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "notifier/intake.h"
#include "notifier/outbox/outbox_batch.h"
#include "notifier/outbox/outbox_relay.h"
#include "support/outbox_stage.h"

#define OUTBOX(rest)                                                                                                   \
    "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\nevent = 4KiB\n"                                               \
    "[queue changes]\nevents = user.* record.*\n"                                                                      \
    "[outbox platform]\nurl = POSTGRES\ntimeout = 5s\n" rest

static struct server *postgres;

static int start(void **state)
{
    (void)state;
    postgres = postgres_server_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_free(postgres);
    return 0;
}

static int setup(void **state)
{
    *state = outbox_stage_open(postgres, OUTBOX("poll = 60s\n"));
    return 0;
}

/* Without NOTIFY, and with batches so small that relays get into each other's way. */
static int setup_crowded(void **state)
{
    *state = outbox_stage_open(postgres, OUTBOX("poll = 100ms\nchannel = none\nbatch = 7\n"));
    return 0;
}

static int setup_mark(void **state)
{
    *state = outbox_stage_open(postgres, OUTBOX("poll = 60s\nafter = mark\n"));
    return 0;
}

static int teardown(void **state)
{
    outbox_stage_close(*state);
    return 0;
}

static bool holds(struct span text, const char *part)
{
    return strstr(text.text, part) != NULL;
}

/* What the platform does: count rows of so many subjects, revision by revision. */
static void insert_rows(struct outbox_stage *s, int first, int count, int subjects)
{
    char sql[400];

    snprintf(sql, sizeof sql,
             "INSERT INTO crier_outbox (type, subject, revision, payload)"
             " SELECT 'user.updated', 'users/' || n %% %d, n, json_build_object('n', n)"
             " FROM generate_series(%d, %d) AS n",
             subjects, first, first + count - 1);
    postgres_do(s->link, sql);
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

    insert_rows(s, 1, 10, 3);
    outbox_stage_relay(s, 1);
    outbox_stage_events(s, 10);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
}

static void a_row_that_was_sent_is_marked_where_that_is_wanted(void **state)
{
    struct outbox_stage *s = *state;

    insert_rows(s, 1, 10, 3);
    outbox_stage_relay(s, 1);
    outbox_stage_wait_rows(s, "crier_outbox WHERE relayed_at IS NOT NULL", 10);
    insert_rows(s, 11, 5, 3);
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

enum { ROWS = 2000, SUBJECTS = 5 };

static void assert_order_kept(const struct event *events, size_t count)
{
    int64_t last[SUBJECTS] = {0};

    for (size_t i = 0; i < count; i++) {
        struct span id = event_subject_id(&events[i]);
        int64_t subject = -1;

        assert_true(text_int(id.text, id.length, &subject));
        if (events[i].revision <= last[subject])
            fail_msg("%.*s: %lld after %lld", (int)events[i].subject.length, events[i].subject.text,
                     (long long)events[i].revision, (long long)last[subject]);
        last[subject] = events[i].revision;
    }
}

static void rows_of_a_subject_keep_their_order_with_three_relays(void **state)
{
    struct outbox_stage *s = *state;

    insert_rows(s, 1, ROWS / 2, SUBJECTS);
    outbox_stage_relay(s, 3);
    for (int first = ROWS / 2 + 1; first <= ROWS; first += 50)
        insert_rows(s, first, 50, SUBJECTS);
    assert_order_kept(outbox_stage_events(s, ROWS), ROWS);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
}

static void subjects_that_another_relay_holds_do_not_stop_the_others(void **state)
{
    struct outbox_stage *s = *state;
    struct postgres *other = postgres_server_link(postgres);

    postgres_do(other, "BEGIN; SELECT pg_advisory_xact_lock(hashtext('crier outbox ' || 'crier_outbox'::regclass::oid),"
                       " hashtext('users/1') & 63)");
    insert_rows(s, 1, 20, 2);
    outbox_stage_relay(s, 2);
    outbox_stage_events(s, 10);
    assert_int_equal(postgres_number(s->link, "SELECT count(*) FROM crier_outbox WHERE subject = 'users/1'"), 10);
    postgres_do(other, "COMMIT");
    assert_order_kept(outbox_stage_events(s, 20), 20);
    postgres_free(other);
}

static void a_notification_wakes_the_relay_long_before_the_next_look(void **state)
{
    struct outbox_stage *s = *state;
    int64_t began_ms, longest_ms = 0;

    outbox_stage_relay(s, 1);
    insert_rows(s, 1, 1, 1);
    outbox_stage_events(s, 1);
    for (size_t i = 2; i <= 20; i++) {
        usleep(20000); /* so that it waits again: not a hope, only nearer to the truth */
        began_ms = clock_monotonic_ms();
        insert_rows(s, (int)i, 1, 1);
        outbox_stage_events(s, i);
        if (clock_monotonic_ms() - began_ms > longest_ms)
            longest_ms = clock_monotonic_ms() - began_ms;
    }
    print_message("from commit to stream at most %lld ms\n", (long long)longest_ms);
    assert_true(longest_ms < 30000); /* half of poll */
}

/* ---------------------------------------------------------------------------------------------------- poison rows */

static void add_poison(struct outbox_stage *s)
{
    postgres_do(s->link, "INSERT INTO crier_outbox (type, subject, revision, payload) VALUES"
                         " ('no type!', 'users/1', 1, '{}'),"
                         " ('user.updated', 'users/1', -1, '{}'),"
                         " ('user.updated', 'users/1', 1, '[1, 2]'),"
                         " ('crier.made', 'users/1', 1, '{}'),"
                         " ('user.updated', 'users/1', 1, json_build_object('n', repeat('x', 5000)))");
}

static void a_row_that_can_be_no_event_is_parked_and_the_others_flow(void **state)
{
    struct outbox_stage *s = *state;
    struct error err;
    json_t *parked;
    char *out;

    insert_rows(s, 1, 5, 1);
    add_poison(s);
    insert_rows(s, 6, 5, 1);
    outbox_stage_relay(s, 1);
    assert_order_kept(outbox_stage_events(s, 10), 10);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
    out = outbox_stage_verb(s, 0, (const char *const[]){"parked", "platform", "--json", NULL});
    parked = json_text_parse(out, strlen(out), JSON_DEPTH_DEFAULT, &err);
    assert_int_equal(json_array_size(parked), 5);
    assert_non_null(strstr(json_member_text(json_array_get(parked, 0), "reason", ""), "type"));
    assert_non_null(strstr(json_member_text(json_array_get(parked, 1), "reason", ""), "revision"));
    assert_non_null(strstr(json_member_text(json_array_get(parked, 2), "reason", ""), "JSON object"));
    assert_non_null(strstr(json_member_text(json_array_get(parked, 3), "reason", ""), "crier."));
    assert_non_null(strstr(json_member_text(json_array_get(parked, 4), "reason", ""), "bytes"));
    json_decref(parked);
    free(out);
}

static void what_is_parked_can_be_mended_tried_again_or_dropped(void **state)
{
    struct outbox_stage *s = *state;
    struct event *events;

    add_poison(s);
    outbox_stage_relay(s, 1);
    outbox_stage_wait_rows(s, "crier_outbox_parked", 5);
    free(outbox_stage_verb(s, 0, (const char *const[]){"retry", "platform", "--all", "--dry-run", NULL}));
    outbox_stage_wait_rows(s, "crier_outbox_parked", 5);
    postgres_do(s->link,
                "UPDATE crier_outbox_parked SET \"row\" = replace(\"row\"::text, 'no type!', 'user.mended')::json");
    free(outbox_stage_verb(s, 0, (const char *const[]){"retry", "platform", "1", "2", NULL}));
    events = outbox_stage_events(s, 1);
    assert_true(span_is(events[0].type, "user.mended"));
    outbox_stage_wait_rows(s, "crier_outbox_parked WHERE number = 6", 1); /* the second is as bad as it was */
    free(outbox_stage_verb(s, 0, (const char *const[]){"drop", "platform", "6", NULL}));
    free(outbox_stage_verb(s, 1, (const char *const[]){"drop", "platform", "6", NULL}));
    outbox_stage_wait_rows(s, "crier_outbox_parked", 3);
    free(outbox_stage_verb(s, 0, (const char *const[]){"drop", "platform", "--all", NULL}));
    outbox_stage_wait_rows(s, "crier_outbox_parked", 0);
    free(outbox_stage_verb(s, 2, (const char *const[]){"drop", "platform", NULL}));
    free(outbox_stage_verb(s, 2, (const char *const[]){"drop", "platform", "x", NULL}));
    free(outbox_stage_verb(s, 2, (const char *const[]){"parked", "nowhere", NULL}));
}

/* -------------------------------------------------------------------------------------------------------- outages */

static void nothing_is_lost_when_postgres_is_killed_and_comes_back(void **state)
{
    struct outbox_stage *s = *state;

    outbox_stage_relay(s, 2);
    insert_rows(s, 1, 500, SUBJECTS);
    outbox_stage_events(s, 500); /* sent, and perhaps not yet committed */
    insert_rows(s, 501, 500, SUBJECTS);
    server_kill(postgres);
    outbox_stage_wait_trouble(s, true);
    server_restart(postgres);
    postgres_drop(s->link);
    outbox_stage_wait_trouble(s, false);
    insert_rows(s, 1001, 10, SUBJECTS);
    assert_order_kept(outbox_stage_events(s, 1010), 1010);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
}

static void rows_stay_while_redis_is_away(void **state)
{
    struct outbox_stage *s = *state;

    outbox_stage_relay(s, 1);
    scene_redis(s->scene, "CONFIG SET appendfsync always"); /* a kill loses nothing that it has answered */
    insert_rows(s, 1, 10, SUBJECTS);
    outbox_stage_events(s, 10);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
    server_kill(s->scene->redis_server);
    insert_rows(s, 11, 10, SUBJECTS);
    outbox_stage_wait_trouble(s, true);
    assert_int_equal(postgres_number(s->link, "SELECT count(*) FROM crier_outbox"), 10);
    server_restart(s->scene->redis_server);
    redis_drop(s->scene->redis);
    outbox_stage_wait_trouble(s, false);
    assert_order_kept(outbox_stage_events(s, 20), 20);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
}

static void a_row_that_comes_twice_counts_once(void **state)
{
    static const char insert[] = "INSERT INTO crier_outbox (id, type, subject) VALUES"
                                 " ('00000000-0000-4000-8000-000000000001', 'user.updated', 'users/1')";
    struct outbox_stage *s = *state;
    struct outbox *o = outbox_new(s->scene->settings, &s->scene->settings->outboxes[0]);
    struct outbox_moved moved;
    struct error err;
    struct intake *in = intake_new(s->scene->settings, &err);

    for (int i = 0; i < 2; i++) {
        postgres_do(s->link, insert);
        if (!outbox_batch_relay(o, in, &moved, &err))
            fail_msg("%s", err.text);
        assert_int_equal(moved.outcomes[i == 0 ? INTAKE_ACCEPTED : INTAKE_DUPLICATE], 1);
    }
    outbox_stage_events(s, 1);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
    intake_free(in);
    outbox_free(o);
}

static void what_is_not_committed_is_not_sent(void **state)
{
    struct outbox_stage *s = *state;
    struct postgres *open = postgres_server_link(postgres);

    outbox_stage_relay(s, 1);
    postgres_do(open, "BEGIN; INSERT INTO crier_outbox (type, subject) VALUES ('user.updated', 'users/1')");
    insert_rows(s, 1, 5, 1);
    outbox_stage_events(s, 5);
    postgres_do(open, "ROLLBACK");
    insert_rows(s, 6, 5, 1);
    outbox_stage_events(s, 10);
    postgres_free(open);
}

static void tables_that_lack_are_said_with_what_makes_them(void **state)
{
    struct outbox_stage *s = *state;
    const char *name;
    char why[600];

    postgres_do(s->link, "DROP TABLE crier_outbox_parked");
    insert_rows(s, 1, 3, 1);
    outbox_stage_relay(s, 1);
    outbox_stage_wait_trouble(s, true);
    outbox_relays_trouble(s->relays[0], 0, &name, why, sizeof why);
    assert_non_null(strstr(why, "crier outbox sql platform"));
    assert_non_null(strstr(why, "crier_outbox_parked"));
    assert_int_equal(scene_redis(s->scene, "XLEN crier:{changes}:stream")->integer, 0);
}

static void the_state_is_shown(void **state)
{
    struct outbox_stage *s = *state;
    char *out = NULL;

    postgres_do(s->link, "INSERT INTO crier_outbox (type, time, subject) VALUES"
                         " ('user.updated', now() - interval '1 hour', 'users/1')");
    out = outbox_stage_verb(s, 0, (const char *const[]){"list", "--json", NULL});
    assert_non_null(strstr(out, "\"waiting\": 1, \"oldest_seconds\": 36"));
    free(out);
    crier_run(&out, (const char *const[]){"status", "--json", "--config", s->scene->config_path, NULL});
    assert_non_null(strstr(out, "\"outboxes\":[{\"name\":\"platform\",\"waiting\":1,\"oldest_seconds\":36"));
    free(out);
    server_kill(postgres);
    assert_int_equal(crier_run(&out, (const char *const[]){"outbox", "list", "--config", s->scene->config_path, NULL}),
                     69);
    assert_non_null(strstr(out, "crier outbox list: platform: PostgreSQL: "));
    assert_non_null(strstr(out, "\nplatform  crier_outbox"));
    free(out);
    crier_run(&out, (const char *const[]){"status", "--config", s->scene->config_path, NULL});
    assert_non_null(strstr(out, "outbox      platform: PostgreSQL: "));
    free(out);
    server_restart(postgres);
}

int main(void)
{
#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_the_verb_prints_makes_an_outbox_that_works, setup),
        TEST(what_the_verb_prints_makes_an_outbox_that_works, setup_mark),
        TEST(a_row_that_was_sent_is_deleted, setup),
        TEST(a_row_that_was_sent_is_marked_where_that_is_wanted, setup_mark),
        TEST(every_column_becomes_its_attribute, setup),
        TEST(rows_of_a_subject_keep_their_order_with_three_relays, setup_crowded),
        TEST(subjects_that_another_relay_holds_do_not_stop_the_others, setup_crowded),
        TEST(a_notification_wakes_the_relay_long_before_the_next_look, setup),
        TEST(a_row_that_can_be_no_event_is_parked_and_the_others_flow, setup),
        TEST(what_is_parked_can_be_mended_tried_again_or_dropped, setup),
        TEST(nothing_is_lost_when_postgres_is_killed_and_comes_back, setup_crowded),
        TEST(rows_stay_while_redis_is_away, setup),
        TEST(a_row_that_comes_twice_counts_once, setup),
        TEST(what_is_not_committed_is_not_sent, setup),
        TEST(tables_that_lack_are_said_with_what_makes_them, setup),
        TEST(the_state_is_shown, setup),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
