/* Events to aggregates: as invenio-stats writes them, and where it goes wrong, right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "handlers/dirty.h"
#include "support/aggregate_stage.h"
#include "support/search_index.h"

static void an_aggregate_is_what_invenio_stats_writes(void **state)
{
    struct scene *s = *state;
    json_t *types;
    char *text;

    views_happen(s,
                 (const struct view[]){
                     {"2026-10-05T10:00:00", "a", "s1", 10.0, NULL               },
                     {"2026-10-05T23:59:59", "a", "s2", 20.0, NULL               },
                     {"2026-10-05T11:00:00", "a", "s1", 3.0,  NULL               },
                     {"2026-10-06T00:00:00", "a", "s1", 7.0,  NULL               },
                     {"2026-10-05T12:00:00", "b", "s1", 1.0,  NULL               },
                     {"2026-10-05T12:00:00", "b", "s9", 1.0,  "\"is_robot\":true"},
    },
                 6);
    assert_int_equal(run_aggregation(s, "day"), 3);
    aggregate_is(s, "stats-day-2026-10", "ui_a-2026-10-05",
                 "{\"timestamp\":\"2026-10-05T00:00:00\",\"unique_id\":\"ui_a\",\"count\":3,\"unique_count\":2,"
                 "\"volume\":33.0,\"recid\":\"a\",\"parent_recid\":\"p-a\",\"via_api\":false}");
    aggregate_is(s, "stats-day-2026-10", "ui_a-2026-10-06",
                 "{\"timestamp\":\"2026-10-06T00:00:00\",\"unique_id\":\"ui_a\",\"count\":1,\"unique_count\":1,"
                 "\"volume\":7.0,\"recid\":\"a\",\"parent_recid\":\"p-a\",\"via_api\":false}");
    aggregate_is(s, "stats-day-2026-10", "ui_b-2026-10-05",
                 "{\"timestamp\":\"2026-10-05T00:00:00\",\"unique_id\":\"ui_b\",\"count\":1,\"unique_count\":1,"
                 "\"volume\":1.0,\"recid\":\"b\",\"parent_recid\":\"p-b\",\"via_api\":false}");
    assert_int_equal(index_count(s->settings, "stats-day"), 3);
    types = index_ask(s->settings, "GET",
                      arena_printf(s->arena, "/%sstats-day-2026-10/_mapping", s->settings->opensearch.prefix), NULL);
    text = json_dumps(types, JSON_COMPACT);
    assert_non_null(strstr(text, "\"timestamp\":{\"type\":\"date\",\"format\":\"date_optional_time\"}"));
    assert_non_null(strstr(text, "\"volume\":{\"type\":\"double\"}"));
    assert_non_null(strstr(text, "\"unique_id\":{\"type\":\"keyword\"}"));
    free(text);
    json_decref(types);
}

static void hours_days_months_and_years_each_get_their_documents(void **state)
{
    struct scene *s = *state;
    static const struct {
        const char *handler, *index, *id;
        int64_t count, documents;
    } rows[] = {
        {"hour",  "stats-hour-2024",   "ui_a-2024-02-29T23", 2, 4},
        {"day",   "stats-day-2024-02", "ui_a-2024-02-29",    3, 3},
        {"month", "stats-month-2024",  "ui_a-2024-02",       3, 3},
        {"year",  "stats-year-2024",   "ui_a-2024",          4, 2},
    };

    views_happen(s,
                 (const struct view[]){
                     {"2024-02-29T23:00:00", "a", "s1", 1.0, NULL},
                     {"2024-02-29T23:59:59", "a", "s1", 1.0, NULL},
                     {"2024-02-29T22:59:59", "a", "s1", 1.0, NULL},
                     {"2024-03-01T00:00:00", "a", "s1", 1.0, NULL},
                     {"2025-01-01T00:00:00", "a", "s1", 1.0, NULL},
    },
                 5);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        run_aggregation(s, rows[i].handler);
        assert_int_equal(aggregate_count(s, rows[i].index, rows[i].id), rows[i].count);
        assert_int_equal(index_count(s->settings, arena_printf(s->arena, "stats-%s", rows[i].handler)),
                         rows[i].documents);
    }
}

static void every_metric_is_right(void **state)
{
    struct scene *s = *state;

    views_happen(s,
                 (const struct view[]){
                     {"2026-10-05T10:00:00", "a", "s1", 1.5, NULL},
                     {"2026-10-05T10:01:00", "a", "s2", 2.5, NULL},
                     {"2026-10-05T10:02:00", "a", "s2", 5.0, NULL},
                     {"2026-10-05T10:02:00", "b", "s2", 4.0, NULL},
    },
                 4);
    run_aggregation(s, "all");
    aggregate_is(s, "stats-all-2026", "ui_a-2026-10-05",
                 "{\"timestamp\":\"2026-10-05T00:00:00\",\"unique_id\":\"ui_a\",\"count\":3,\"s\":9.0,\"l\":1.5,"
                 "\"h\":5.0,\"a\":3.0,\"c\":2,\"u\":2}");
    aggregate_is(s, "stats-all-2026", "ui_b-2026-10-05",
                 "{\"timestamp\":\"2026-10-05T00:00:00\",\"unique_id\":\"ui_b\",\"count\":1,\"s\":4.0,\"l\":4.0,"
                 "\"h\":4.0,\"a\":4.0,\"c\":1,\"u\":1}");
}

/* One with as many sessions as a quick search tells apart, and two with more. */
static void many_sessions_are_told_apart_as_precisely_as_is_configured(void **state)
{
    static const struct {
        const char *key;
        int sessions;
    } rows[] = {
        {"few",  50 },
        {"some", 333},
        {"many", 900},
    };
    struct scene *s = *state;
    struct view views[900];

    for (size_t row = 0; row < ARRAY_LENGTH(rows); row++) {
        for (int i = 0; i < rows[row].sessions; i++)
            views[i] =
                (struct view){"2026-10-05T10:00:00", rows[row].key, arena_printf(s->arena, "session-%d", i), 1.0, NULL};
        views_happen(s, views, (size_t)rows[row].sessions);
    }
    run_aggregation(s, "day");
    for (size_t row = 0; row < ARRAY_LENGTH(rows); row++)
        aggregate_is(s, "stats-day-2026-10", arena_printf(s->arena, "ui_%s-2026-10-05", rows[row].key),
                     arena_printf(s->arena,
                                  "{\"timestamp\":\"2026-10-05T00:00:00\",\"unique_id\":\"ui_%s\",\"count\":%d,"
                                  "\"unique_count\":%d,\"volume\":%d.0,\"recid\":\"%s\",\"parent_recid\":\"p-%s\","
                                  "\"via_api\":false}",
                                  rows[row].key, rows[row].sessions, rows[row].sessions, rows[row].sessions,
                                  rows[row].key, rows[row].key));
}

static void copies_come_from_the_latest_event(void **state)
{
    struct scene *s = *state;

    views_happen(s,
                 (const struct view[]){
                     {"2026-10-05T10:00:00", "a", "s", 1.0, "\"label\":\"old\",\"recid\":\"a1\""        },
                     {"2026-10-05T12:00:00", "a", "s", 1.0, "\"label\":[\"new\",\"1\"],\"recid\":\"a2\""},
                     {"2026-10-05T11:00:00", "a", "s", 1.0, "\"label\":\"older\",\"recid\":\"a3\""      },
                     {"2026-10-05T11:00:00", "b", "s", 1.0, "\"recid\":null"                            },
    },
                 4);
    run_aggregation(s, "label");
    aggregate_is(s, "stats-label-2026", "ui_a-2026-10-05",
                 "{\"timestamp\":\"2026-10-05T00:00:00\",\"unique_id\":\"ui_a\",\"count\":3,\"label\":[\"new\",\"1\"],"
                 "\"recid\":\"a2\"}");
    aggregate_is(s, "stats-label-2026", "ui_b-2026-10-05",
                 "{\"timestamp\":\"2026-10-05T00:00:00\",\"unique_id\":\"ui_b\",\"count\":1,\"recid\":null}");
    run_aggregation(s, "day");
    aggregate_is(s, "stats-day-2026-10", "ui_a-2026-10-05",
                 "{\"timestamp\":\"2026-10-05T00:00:00\",\"unique_id\":\"ui_a\",\"count\":3,\"unique_count\":1,"
                 "\"volume\":3.0,\"recid\":\"a2\",\"parent_recid\":\"p-a\",\"via_api\":false}");
    aggregate_is(s, "stats-day-2026-10", "ui_b-2026-10-05",
                 "{\"timestamp\":\"2026-10-05T00:00:00\",\"unique_id\":\"ui_b\",\"count\":1,\"unique_count\":1,"
                 "\"volume\":1.0,\"recid\":null,\"parent_recid\":\"p-b\",\"via_api\":false}");
}

/* The reference's own case: it counts five, and two repairs by hand leave it at five. */
static void twelve_events_of_which_seven_come_late_are_twelve(void **state)
{
    struct scene *s = *state;
    struct view views[12];

    for (int i = 0; i < 12; i++)
        views[i] = (struct view){arena_printf(s->arena, "2026-10-05T%02d:00:00", 12 + i % 12), "a", "s", 1.0, NULL};
    views_happen(s, views, 5);
    run_aggregation(s, "day");
    assert_int_equal(aggregate_count(s, "stats-day-2026-10", "ui_a-2026-10-05"), 5);
    views_happen(s, views + 5, 3);
    run_aggregation(s, "day");
    assert_int_equal(aggregate_count(s, "stats-day-2026-10", "ui_a-2026-10-05"), 8);
    views_happen(s, views + 8, 4);
    run_aggregation(s, "day");
    assert_int_equal(aggregate_count(s, "stats-day-2026-10", "ui_a-2026-10-05"), 12);
}

static void a_second_run_changes_nothing(void **state)
{
    struct scene *s = *state;
    int64_t writes;
    char *before, *after;

    many_views_happen(s, "2026-10-05", 30);
    run_aggregation(s, "day");
    writes = index_writes(s->settings, "stats-day-2026-10");
    before = index_dump(s->settings, "stats-day");
    assert_int_equal(run_aggregation(s, "day"), 0);
    after = index_dump(s->settings, "stats-day");
    assert_int_equal(index_writes(s->settings, "stats-day-2026-10"), writes);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void only_the_keys_of_new_events_are_touched(void **state)
{
    struct scene *s = *state;

    many_views_happen(s, "2026-10-05", 30);
    run_aggregation(s, "day");
    assert_int_equal(index_writes(s->settings, "stats-day-2026-10"), 30);
    many_views_happen(s, "2026-10-05", 2);
    many_views_happen(s, "2026-10-07", 1);
    assert_int_equal(run_aggregation(s, "day"), 3);
    assert_int_equal(index_writes(s->settings, "stats-day-2026-10"), 33);
    assert_int_equal(aggregate_count(s, "stats-day-2026-10", "ui_k0001-2026-10-05"), 2);
    assert_int_equal(aggregate_count(s, "stats-day-2026-10", "ui_k0002-2026-10-05"), 1);
}

static void a_key_whose_events_are_gone_has_no_aggregate(void **state)
{
    struct scene *s = *state;

    many_views_happen(s, "2026-10-05", 3);
    run_aggregation(s, "day");
    forget_views(s, "k0001");
    mark_view(s, "day", "2026-10-05T10:00:00", "ui_k0001");
    mark_view(s, "day", "2026-10-05T10:00:00", "ui_never-seen");
    run_aggregation(s, "day");
    assert_int_equal(index_count(s->settings, "stats-day"), 2);
    assert_int_equal(aggregation_marks(s, "day"), 0);
}

static void the_records_of_changed_aggregates_are_marked(void **state)
{
    struct scene *s = *state;
    struct dirty_mark *marks;
    struct error err;
    size_t count;

    many_views_happen(s, "2026-10-05", 2);
    many_views_happen(s, "2026-10-06", 1);
    run_aggregation(s, "day");
    assert_true(dirty_page(s->redis, "q", "totals", 10, s->arena, &marks, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(marks[0].interval_us, 0);
    assert_true(span_is(marks[0].key, "p-k0000") || span_is(marks[1].key, "p-k0000"));
    assert_true(dirty_settle(s->redis, "q", "totals", marks, count, &err));
    forget_views(s, "k0001");
    mark_view(s, "day", "2026-10-05T10:00:00", "ui_k0001");
    run_aggregation(s, "day");
    assert_true(dirty_page(s->redis, "q", "totals", 10, s->arena, &marks, &count, &err));
    assert_int_equal(count, 1);
    assert_true(span_is(marks[0].key, "p-k0001"));
}

/* ------------------------------------------------------------------------------------------------ where it begins */

static void set_bookmark(struct scene *s, const char *date)
{
    const char *prefix = s->settings->opensearch.prefix;

    index_bulk(s->settings, arena_printf(s->arena,
                                         "{\"index\":{\"_index\":\"%sstats-bookmarks\"}}\n"
                                         "{\"date\":\"%s\",\"aggregation_type\":\"day\"}\n",
                                         prefix, date));
}

static void create_bookmarks(struct scene *s)
{
    json_decref(
        index_ask(s->settings, "PUT", arena_printf(s->arena, "/%sstats-bookmarks", s->settings->opensearch.prefix),
                  "{\"mappings\":{\"dynamic\":\"strict\",\"properties\":{\"date\":{\"type\":\"date\",\"format\":"
                  "\"date_optional_time\"},\"aggregation_type\":{\"type\":\"keyword\"}}}}"));
}

static void a_bookmark_in_the_future_does_not_block_counting(void **state)
{
    struct scene *s = *state;

    create_bookmarks(s);
    set_bookmark(s, "2126-01-01T00:00:00+00:00");
    many_views_happen(s, "2026-10-05", 2);
    scene_redis(s, "FLUSHALL");
    assert_int_equal(run_aggregation(s, "day"), 2);
    many_views_happen(s, "2026-10-05", 1);
    assert_int_equal(run_aggregation(s, "day"), 1);
    assert_int_equal(aggregate_count(s, "stats-day-2026-10", "ui_k0000-2026-10-05"), 2);
}

static void what_was_indexed_before_the_bookmark_is_not_counted_again(void **state)
{
    struct scene *s = *state;

    create_bookmarks(s);
    many_views_happen(s, "2026-10-05", 2);
    views_happen(s,
                 (const struct view[]){
                     {"2020-01-01T10:00:00", "old", "s", 1.0, "\"updated_timestamp\":\"2020-01-01T10:00:00\""}
    },
                 1);
    set_bookmark(s, "2020-05-01T10:00:00.000001+00:00");
    set_bookmark(s, "2019-05-01");
    scene_redis(s, "FLUSHALL");
    assert_int_equal(run_aggregation(s, "day"), 2);
}

static void a_bookmark_says_when_the_last_run_began(void **state)
{
    struct scene *s = *state;
    int64_t before_us = clock_wall_us();
    json_t *answer, *sources;
    const char *date;
    int64_t us;

    many_views_happen(s, "2026-10-05", 2);
    run_aggregation(s, "day");
    json_decref(index_ask(s->settings, "POST",
                          arena_printf(s->arena, "/%sstats-bookmarks/_refresh", s->settings->opensearch.prefix), NULL));
    answer = index_ask(s->settings, "GET",
                       arena_printf(s->arena, "/%sstats-bookmarks/_search", s->settings->opensearch.prefix), NULL);
    sources = json_object_get(json_object_get(answer, "hits"), "hits");
    assert_int_equal(json_array_size(sources), 1);
    date = json_string_value(json_at(json_array_get(sources, 0), "_source.date"));
    assert_string_equal(json_string_value(json_at(json_array_get(sources, 0), "_source.aggregation_type")), "day");
    assert_true(time_parse(date, strlen(date), false, &us));
    assert_true(us >= before_us && us <= clock_wall_us());
    assert_non_null(strstr(date, "+00:00"));
    json_decref(answer);
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, aggregate_stage_open, aggregate_stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FLOW(an_aggregate_is_what_invenio_stats_writes),
        FLOW(hours_days_months_and_years_each_get_their_documents),
        FLOW(every_metric_is_right),
        FLOW(many_sessions_are_told_apart_as_precisely_as_is_configured),
        FLOW(copies_come_from_the_latest_event),
        FLOW(twelve_events_of_which_seven_come_late_are_twelve),
        FLOW(a_second_run_changes_nothing),
        FLOW(only_the_keys_of_new_events_are_touched),
        FLOW(a_key_whose_events_are_gone_has_no_aggregate),
        FLOW(the_records_of_changed_aggregates_are_marked),
        FLOW(a_bookmark_in_the_future_does_not_block_counting),
        FLOW(what_was_indexed_before_the_bookmark_is_not_counted_again),
        FLOW(a_bookmark_says_when_the_last_run_began),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
