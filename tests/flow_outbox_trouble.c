/* An outbox in trouble: rows that can be no event, servers that are away, tables that lack; and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "notifier/intake.h"
#include "notifier/outbox/outbox_batch.h"
#include "notifier/outbox/outbox_relay.h"
#include "support/outbox_platform.h"
#include "support/outbox_stage.h"

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

    outbox_platform_insert(s, 1, 5, 1);
    add_poison(s);
    outbox_platform_insert(s, 6, 5, 1);
    outbox_stage_relay(s, 1);
    outbox_platform_order_kept(outbox_stage_events(s, 10), 10);
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
    outbox_platform_insert(s, 1, 500, SUBJECTS);
    outbox_stage_events(s, 500); /* sent, and perhaps not yet committed */
    outbox_platform_insert(s, 501, 500, SUBJECTS);
    server_kill(s->server);
    outbox_stage_wait_trouble(s, true);
    server_restart(s->server);
    postgres_drop(s->link);
    outbox_stage_wait_trouble(s, false);
    outbox_platform_insert(s, 1001, 10, SUBJECTS);
    outbox_platform_order_kept(outbox_stage_events(s, 1010), 1010);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
}

static void rows_stay_while_redis_is_away(void **state)
{
    struct outbox_stage *s = *state;

    outbox_stage_relay(s, 1);
    scene_redis(s->scene, "CONFIG SET appendfsync always"); /* a kill loses nothing that it has answered */
    outbox_platform_insert(s, 1, 10, SUBJECTS);
    outbox_stage_events(s, 10);
    outbox_stage_wait_rows(s, "crier_outbox", 0);
    server_kill(s->scene->redis_server);
    outbox_platform_insert(s, 11, 10, SUBJECTS);
    outbox_stage_wait_trouble(s, true);
    assert_int_equal(postgres_number(s->link, "SELECT count(*) FROM crier_outbox"), 10);
    server_restart(s->scene->redis_server);
    redis_drop(s->scene->redis);
    outbox_stage_wait_trouble(s, false);
    outbox_platform_order_kept(outbox_stage_events(s, 20), 20);
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
    struct postgres *open = postgres_server_link(s->server);

    outbox_stage_relay(s, 1);
    postgres_do(open, "BEGIN; INSERT INTO crier_outbox (type, subject) VALUES ('user.updated', 'users/1')");
    outbox_platform_insert(s, 1, 5, 1);
    outbox_stage_events(s, 5);
    postgres_do(open, "ROLLBACK");
    outbox_platform_insert(s, 6, 5, 1);
    outbox_stage_events(s, 10);
    postgres_free(open);
}

static void tables_that_lack_are_said_with_what_makes_them(void **state)
{
    struct outbox_stage *s = *state;
    const char *name;
    char why[600];

    postgres_do(s->link, "DROP TABLE crier_outbox_parked");
    outbox_platform_insert(s, 1, 3, 1);
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
    server_kill(s->server);
    assert_int_equal(crier_run(&out, (const char *const[]){"outbox", "list", "--config", s->scene->config_path, NULL}),
                     69);
    assert_non_null(strstr(out, "crier outbox list: platform: PostgreSQL: "));
    assert_non_null(strstr(out, "\nplatform  crier_outbox"));
    free(out);
    crier_run(&out, (const char *const[]){"status", "--config", s->scene->config_path, NULL});
    assert_non_null(strstr(out, "outbox      platform: PostgreSQL: "));
    free(out);
    server_restart(s->server);
}

int main(void)
{
#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, outbox_platform_close)
    const struct CMUnitTest tests[] = {
        TEST(a_row_that_can_be_no_event_is_parked_and_the_others_flow, outbox_platform_open),
        TEST(what_is_parked_can_be_mended_tried_again_or_dropped, outbox_platform_open),
        TEST(nothing_is_lost_when_postgres_is_killed_and_comes_back, outbox_platform_open_crowded),
        TEST(rows_stay_while_redis_is_away, outbox_platform_open),
        TEST(a_row_that_comes_twice_counts_once, outbox_platform_open),
        TEST(what_is_not_committed_is_not_sent, outbox_platform_open),
        TEST(tables_that_lack_are_said_with_what_makes_them, outbox_platform_open),
        TEST(the_state_is_shown, outbox_platform_open),
    };

    return cmocka_run_group_tests(tests, outbox_platform_start, outbox_platform_stop);
}
