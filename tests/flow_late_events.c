/*
 * Views that come after their day was aggregated, and repairs, through the door and `crier aggregations`. invenio-stats
 * counts 5 of these 12 views, its explicit range repairs nothing, and its bookmark of 2030 blocks all counting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "support/counting.h"
#include "support/search_index.h"

#define INDEX     "stats-record-view-2026-10"
#define AGGREGATE "ui_r1-2026-10-05"

/* Aggregated is when the operator says so. */
static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\n"
                          "[event record-view]\nprofile = invenio-record-view\n"
                          "[handler events-stats-record-view]\nschedule = every 100ms\n"
                          "[handler record-view-agg]\nschedule = cron 0 0 29 2 *\n"
                          "[handler record-stats]\nschedule = every 100ms\nindex = records\n";

static int setup(void **state)
{
    struct counting *c = calloc(1, sizeof *c);

    assert_non_null(c);
    counting_open(c, ini);
    *state = c;
    return 0;
}

static int teardown(void **state)
{
    counting_close(*state);
    free(*state);
    return 0;
}

/* Views of record r1 on the fifth of October, a minute apart, from a minute of the day on; each of another session. */
static void view(struct counting *c, int count, int minute)
{
    struct buf body = BUF_INIT;

    for (int i = 0; i < count; i++, minute++)
        buf_printf(&body,
                   "%s{\"event_type\":\"record-view\",\"payload\":{\"timestamp\":\"2026-10-05T%02d:%02d:07\",\"recid\":"
                   "\"r1\",\"parent_recid\":\"p1\",\"session_id\":\"s%d\",\"ip_address\":\"192.0.2.9\","
                   "\"user_agent\":\"Mozilla/5.0 Firefox/1\",\"referrer\":null,\"via_api\":false}}",
                   i ? "," : "[", minute / 60, minute % 60, minute);
    buf_add_char(&body, ']');
    counting_send(c, 0, "application/json", body.data);
    buf_release(&body);
    counting_wait_for_events(c);
}

static void aggregate(struct counting *c, const char *from)
{
    const char *words[] = {"aggregations", "run", from ? "--from" : NULL, from, NULL};

    free(counting_crier(c, words));
}

static void aggregate_is(struct counting *c, int64_t number)
{
    counting_number_is(c, INDEX, AGGREGATE, "_source.count", number);
    counting_number_is(c, INDEX, AGGREGATE, "_source.unique_count", number);
}

static void put(struct counting *c, const char *index, const char *id, const char *document)
{
    struct buf lines = BUF_INIT;

    buf_printf(&lines, "{\"index\":{\"_index\":\"%s%s\"%s%s%s}}\n%s\n", c->scene->settings->opensearch.prefix, index,
               id ? ",\"_id\":\"" : "", id ? id : "", id ? "\"" : "", document);
    index_bulk(c->scene->settings, lines.data);
    buf_release(&lines);
}

/* In an index as invenio-stats makes it. */
static void make_bookmarks(struct counting *c)
{
    char path[200];

    snprintf(path, sizeof path, "/%sstats-bookmarks", c->scene->settings->opensearch.prefix);
    json_decref(
        index_ask(c->scene->settings, "PUT", path,
                  "{\"mappings\":{\"dynamic\":\"strict\",\"properties\":{\"date\":{\"type\":\"date\",\"format\":"
                  "\"date_optional_time\"},\"aggregation_type\":{\"type\":\"keyword\"}}}}"));
}

static void put_bookmark(struct counting *c, const char *date)
{
    char document[200];

    snprintf(document, sizeof document, "{\"date\":\"%s\",\"aggregation_type\":\"record-view-agg\"}", date);
    put(c, "stats-bookmarks", NULL, document);
}

static void publish_record(struct counting *c)
{
    put(c, "records", "uuid-1", "{\"id\":\"r1\",\"parent\":{\"id\":\"p1\"}}");
}

/* Five in time, three that came after midnight's run, four after a backlog. */
static void view_twelve(struct counting *c)
{
    view(c, 5, 600);
    aggregate(c, NULL);
    aggregate_is(c, 5);
    view(c, 3, 23 * 60 + 57);
    aggregate(c, NULL);
    aggregate_is(c, 8);
    view(c, 4, 700);
    aggregate(c, NULL);
}

static void seven_of_twelve_come_after_the_aggregation_and_all_count(void **state)
{
    struct counting *c = *state;

    counting_serve(c, 1);
    publish_record(c);
    view_twelve(c);
    aggregate_is(c, 12);
    counting_wait(c);
    counting_number_is(c, "records", "uuid-1", "_source.stats.all_versions.views", 12);
    aggregate(c, NULL);
    aggregate_is(c, 12);
}

static void an_explicit_range_repairs_what_was_damaged_lost_or_never_there(void **state)
{
    struct counting *c = *state;

    counting_serve(c, 1);
    publish_record(c);
    view_twelve(c);
    put(c, INDEX, AGGREGATE,
        "{\"timestamp\":\"2026-10-05T00:00:00\",\"unique_id\":\"ui_r1\",\"recid\":\"r1\",\"count\":5}");
    put(c, INDEX, "ui_r9-2026-10-06",
        "{\"timestamp\":\"2026-10-06T00:00:00\",\"unique_id\":\"ui_r9\",\"recid\":\"r9\",\"count\":7}");
    aggregate(c, NULL);
    counting_number_is(c, INDEX, AGGREGATE, "_source.count", 5); /* nothing was marked: nobody knows */
    aggregate(c, "2026-10-05");
    aggregate_is(c, 12);
    assert_null(counting_document(c, INDEX, "ui_r9-2026-10-06"));
    index_delete(c->scene->settings, INDEX);
    aggregate(c, "2026-10-05");
    aggregate_is(c, 12);
    counting_wait(c);
    counting_number_is(c, "records", "uuid-1", "_source.stats.this_version.views", 12);
}

static void a_bookmark_of_2030_blocks_nothing(void **state)
{
    struct counting *c = *state;

    make_bookmarks(c);
    put_bookmark(c, "2030-01-01T00:00:00");
    counting_serve(c, 1);
    publish_record(c);
    view_twelve(c);
    aggregate_is(c, 12);
    put_bookmark(c, "2030-06-01T00:00:00");
    view(c, 1, 800);
    aggregate(c, NULL);
    aggregate_is(c, 13);
}

/* As if crier had begun only now: it goes by the bookmark that is not in the future, and there is none. */
static void a_bookmark_of_2030_hides_no_view_from_a_redis_that_knows_nothing(void **state)
{
    struct counting *c = *state;

    counting_serve(c, 1);
    view(c, 5, 600);
    make_bookmarks(c);
    put_bookmark(c, "2030-01-01T00:00:00");
    counting_forget(c, "crier:*:dirty:*");
    aggregate(c, NULL);
    aggregate_is(c, 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(seven_of_twelve_come_after_the_aggregation_and_all_count),
        TEST(an_explicit_range_repairs_what_was_damaged_lost_or_never_there),
        TEST(a_bookmark_of_2030_blocks_nothing),
        TEST(a_bookmark_of_2030_hides_no_view_from_a_redis_that_knows_nothing),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
