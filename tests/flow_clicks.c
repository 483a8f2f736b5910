/*
 * Double clicks from the stream to the documents: of clicks of one visitor on one thing within 30 s the last counts.
 * Counted is what the documents say.
 */
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
#include "scheduler/lane.h"
#include "support/click_stage.h"
#include "support/search_index.h"
#include "support/work.h"

/* ------------------------------------------------------------------------------- the audit (reliability, 9) */

/* An order in which no click comes more than lateness_us later than one that followed it. */
static size_t *shuffled(struct click_stage *st, int64_t lateness_us)
{
    size_t *order = calloc(st->count, sizeof *order);
    int64_t *due_us = calloc(st->count, sizeof *due_us);

    assert_non_null(order);
    assert_non_null(due_us);
    for (size_t i = 0; i < st->count; i++) {
        size_t at = i;
        int64_t due = st->clicks[i].time_us + (int64_t)click_stage_below(st, (int)(lateness_us / 1000)) * 1000;

        for (; at > 0 && due_us[at - 1] > due; at--) {
            due_us[at] = due_us[at - 1];
            order[at] = order[at - 1];
        }
        due_us[at] = due;
        order[at] = i;
    }
    free(due_us);
    return order;
}

/* Fifteen pairs within thirty seconds and fifteen beyond, each of another visitor, 31 s and more apart. */
static void add_audit(struct click_stage *st)
{
    int64_t time_us = START_US;

    for (int pair = 0; pair < 30; pair++) {
        int64_t gap_us = (pair < 15 ? 1 + 2 * pair : 31 + 2 * (pair - 15)) * SECOND_US;

        click_stage_add(st, pair, pair % 7, time_us);
        click_stage_add(st, pair, pair % 7, time_us + gap_us);
        time_us += gap_us + 31 * SECOND_US;
    }
}

static void check_audit(struct click_stage *st)
{
    click_stage_totals_are(st, 45, 30);
    click_stage_check(st);
}

static void the_audit_counts_45_and_30(void **state)
{
    struct click_stage *st = *state;

    add_audit(st);
    click_stage_append_all(st);
    work_off(st->scene, "views");
    check_audit(st);
}

static void the_audit_one_by_one_counts_45_and_30(void **state)
{
    struct click_stage *st = *state;

    add_audit(st);
    for (size_t i = 0; i < st->count; i++) {
        click_stage_append(st, &i, 1);
        work_off(st->scene, "views");
    }
    check_audit(st);
}

static void the_audit_out_of_order_counts_45_and_30(void **state)
{
    struct click_stage *st = *state;
    size_t *order;

    add_audit(st);
    order = shuffled(st, 600 * SECOND_US);
    for (size_t at = 0; at < st->count; at += 6) {
        click_stage_append(st, order + at, st->count - at < 6 ? st->count - at : 6);
        work_off(st->scene, "views");
    }
    check_audit(st);
    free(order);
}

static void the_audit_replayed_counts_45_and_30(void **state)
{
    struct click_stage *st = *state;

    add_audit(st);
    click_stage_append_all(st);
    work_off(st->scene, "views");
    for (int replay = 0; replay < 2; replay++) {
        click_stage_forget_seen(st);
        click_stage_append_all(st);
        work_off(st->scene, "views");
        check_audit(st);
    }
    click_stage_forget_seen(st);
    click_stage_forget_clicks(st); /* days later */
    for (size_t i = st->count; i-- > 0;) {
        click_stage_append(st, &i, 1);
        if (i % 8 == 0)
            work_off(st->scene, "views");
    }
    check_audit(st);
}

static void the_audit_with_four_workers_counts_45_and_30(void **state)
{
    struct click_stage *st = *state;
    struct click_crew crew;

    add_audit(st);
    click_crew_start(&crew, st);
    for (size_t i = 0; i < st->count; i++)
        click_stage_append(st, &i, 1);
    click_stage_wait(st);
    click_crew_end(&crew);
    check_audit(st);
}

static void of_ten_clicks_twenty_seconds_apart_the_last_counts(void **state)
{
    struct click_stage *st = *state;

    for (int i = 0; i < 10; i++)
        click_stage_add(st, 1, 1, START_US + i * 20 * SECOND_US);
    click_stage_append_all(st);
    work_off(st->scene, "views");
    click_stage_totals_are(st, 1, 1);
    click_stage_check(st);
}

/* ------------------------------------------------------------------------------------------- what goes with it */

static size_t marks(struct click_stage *st, struct dirty_mark **out)
{
    struct scene *s = st->scene;
    struct error err;
    size_t count;

    assert_true(dirty_page(s->redis, "statistics", "views-agg", 1000, s->arena, out, &count, &err));
    assert_true(dirty_settle(s->redis, "statistics", "views-agg", *out, count, &err));
    return count;
}

static void a_click_and_the_one_that_counts_no_more_both_mark_their_days(void **state)
{
    struct click_stage *st = *state;
    struct dirty_mark *found;
    size_t first = 0, second = 1;

    click_stage_add(st, 1, 5, START_US + 50 * SECOND_US); /* 23:59:50 */
    click_stage_add(st, 1, 5, START_US + 70 * SECOND_US); /* 00:00:10 */
    click_stage_append(st, &first, 1);
    work_off(st->scene, "views");
    assert_int_equal(marks(st, &found), 1);
    assert_true(span_is(found[0].key, "r5"));
    assert_int_equal(found[0].interval_us, INT64_C(1795046400000000));
    click_stage_append(st, &second, 1);
    work_off(st->scene, "views");
    assert_int_equal(marks(st, &found), 2);
    assert_int_equal(found[0].interval_us + found[1].interval_us, INT64_C(2) * 1795046400000000 + 86400 * SECOND_US);
    click_stage_check(st);
}

/* What a worker left that died between Redis and OpenSearch. */
static void leave_behind(struct click_stage *st, const struct made_click *c)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    struct error err;
    char member[80];

    snprintf(member, sizeof member, "%s views-2026-11-19", c->id); /* a blank stands in it */
    args_text(&args, "ZADD");
    args_text(&args, "crier:{statistics}:clicks:views:0000000100000005");
    args_int(&args, c->time_us);
    args_text(&args, member);
    if (!redis_call(st->scene->redis, &args, st->scene->arena, &reply, &err) || !reply_ok(reply, &err))
        fail_msg("%s", err.text);
    args_release(&args);
}

static void a_click_waits_for_the_document_of_the_one_before_it(void **state)
{
    struct click_stage *st = *state;
    struct lane *lane = work_open(st->scene, "views");
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    size_t second = 1, taken;
    struct error err;
    char line[400];

    click_stage_add(st, 1, 5, START_US);
    click_stage_add(st, 1, 5, START_US + 20 * SECOND_US);
    leave_behind(st, &st->clicks[0]);
    click_stage_append(st, &second, 1);
    assert_true(lane_pass(lane, 0, &taken, &err));
    assert_int_equal(taken, 1);
    assert_int_equal(lane_tally(lane).held, 1);
    assert_int_equal(index_count(st->scene->settings, "views-*"), 1);

    /* As the first write of the one before would have been. */
    snprintf(line, sizeof line,
             "{\"index\":{\"_index\":\"%sviews-2026-11-19\",\"_id\":\"%s\",\"version\":%lld,\"version_type\":"
             "\"external\"}}\n"
             "{\"recid\":\"r5\",\"visitor\":\"v1\",\"timestamp\":\"2026-11-19T23:59:00Z\",\"counted\":true}\n",
             st->scene->settings->opensearch.prefix, st->clicks[0].id, (long long)st->clicks[0].time_us);
    index_bulk(st->scene->settings, line);
    while (lane_tally(lane).held > 0 && clock_monotonic_ms() < until_ms)
        assert_true(lane_pass(lane, 100, &taken, &err));
    assert_int_equal(lane_tally(lane).held, 0);
    assert_int_equal(lane_tally(lane).done, 1);
    click_stage_check(st);
    lane_leave(lane);
    lane_free(lane);
}

static void a_click_that_nobody_can_tell_apart_counts(void **state)
{
    struct click_stage *st = *state;
    struct event e;

    click_stage_add(st, 1, 1, START_US);
    e = click_stage_event(st, &st->clicks[0]);
    e.click = SPAN_NONE;
    scene_append(st->scene, &e, 1);
    work_off(st->scene, "views");
    click_stage_check(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_audit_counts_45_and_30, click_stage_open, click_stage_close),
        cmocka_unit_test_setup_teardown(the_audit_one_by_one_counts_45_and_30, click_stage_open, click_stage_close),
        cmocka_unit_test_setup_teardown(the_audit_out_of_order_counts_45_and_30, click_stage_open, click_stage_close),
        cmocka_unit_test_setup_teardown(the_audit_replayed_counts_45_and_30, click_stage_open, click_stage_close),
        cmocka_unit_test_setup_teardown(the_audit_with_four_workers_counts_45_and_30, click_stage_open,
                                        click_stage_close),
        cmocka_unit_test_setup_teardown(of_ten_clicks_twenty_seconds_apart_the_last_counts, click_stage_open,
                                        click_stage_close),
        cmocka_unit_test_setup_teardown(a_click_and_the_one_that_counts_no_more_both_mark_their_days, click_stage_open,
                                        click_stage_close),
        cmocka_unit_test_setup_teardown(a_click_waits_for_the_document_of_the_one_before_it, click_stage_open,
                                        click_stage_close),
        cmocka_unit_test_setup_teardown(a_click_that_nobody_can_tell_apart_counts, click_stage_open, click_stage_close),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
