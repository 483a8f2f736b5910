/*
 * COUNTER's audit of double clicks, as an auditor meets it: clicks at the doors of two services with four workers on
 * one Redis, then the numbers in the aggregates, at /stats, in `crier stats`, in the reports and on the records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "support/counting.h"
#include "support/search_index.h"

enum { PAIRS = 15, TESTS = 2 * PAIRS, TOTAL = 45, UNIQUE = 30, CLICKS_MOST = 2 * TESTS, APART_S = 31, DAY_S = 86400 };

static const char ini[] =
    "[redis]\nurl = REDIS\ntimeout = 2s\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
    "[http]\nlisten = 127.0.0.1:0\n"
    "[event record-view]\nprofile = invenio-record-view\nclicks = cop51\nid = digest\n"
    "[handler events-stats-record-view]\nschedule = every 100ms\nparallel = 2\nbatch = 10\ndeadline = 10s\n"
    "[handler record-view-agg]\nschedule = every 200ms\n[handler record-stats]\nschedule = every 200ms\n"
    "index = records\n[report]\nplatform = Audited\npublisher = Auditor\nrecords = records\n";

struct click {
    int item;
    int64_t time_us;
};

struct audit {
    struct counting counting;
    struct click clicks[CLICKS_MOST];
    size_t count;
    int64_t start_us; /* all of it is in one hour, and so one session */
    unsigned seed;
};

/* Ten o'clock of the last day of last month: reports are of months that are over. */
static int64_t start_of_audit(void)
{
    int64_t day = clock_wall_us() / US_PER_SECOND / DAY_S;
    char this_month[16], month[16];

    time_format(day * DAY_S * US_PER_SECOND, "%Y-%m", this_month, sizeof this_month);
    do
        time_format(--day * DAY_S * US_PER_SECOND, "%Y-%m", month, sizeof month);
    while (strcmp(month, this_month) == 0);
    return (day * DAY_S + 10 * 3600) * US_PER_SECOND;
}

static int setup(void **state)
{
    struct audit *a = calloc(1, sizeof *a);
    const char *seed = getenv("CRIER_SEED");

    assert_non_null(a);
    a->seed = seed && *seed ? (unsigned)atoi(seed) : (unsigned)random_below(1000000);
    a->start_us = start_of_audit();
    print_message("CRIER_SEED=%u\n", a->seed);
    counting_open(&a->counting, ini);
    counting_serve(&a->counting, 2);
    *state = a;
    return 0;
}

static int teardown(void **state)
{
    struct audit *a = *state;

    counting_close(&a->counting);
    free(a);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------ the clicks */

static int between(struct audit *a, int least, int most)
{
    return least + rand_r(&a->seed) % (most - least + 1);
}

static void click(struct audit *a, int item, int64_t second)
{
    assert_in_range(a->count, 0, CLICKS_MOST - 1);
    a->clicks[a->count++] = (struct click){item, a->start_us + second * US_PER_SECOND};
}

/* Pairs inside and outside of 30 s in turn, one a test and each on an item of its own, the tests 31 s and more apart.
 */
static void plan_audit(struct audit *a)
{
    int64_t second = 0;

    for (int test = 0; test < TESTS; test++) {
        click(a, test, second);
        second += test % 2 ? between(a, 31, 60) : between(a, 1, 30);
        click(a, test, second);
        second += between(a, APART_S, APART_S + 9);
    }
    assert_in_range(second, 0, 3599);
}

static void make_records(struct audit *a)
{
    struct buf lines = BUF_INIT;

    for (int item = 0; item < TESTS; item++)
        buf_printf(
            &lines,
            "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"uuid-%d\",\"version\":%d,\"version_type\":"
            "\"external_gte\"}}\n{\"id\":\"r%d\",\"parent\":{\"id\":\"p%d\"},\"metadata\":{\"title\":\"Item %d\","
            "\"publication_date\":\"2024-05-06\"}}\n",
            a->counting.scene->settings->opensearch.prefix, item, 3 + item, item, item, item);
    index_bulk(a->counting.scene->settings, lines.data);
    buf_release(&lines);
}

static void add_event(struct audit *a, size_t number, struct buf *out)
{
    const struct click *c = &a->clicks[number];
    char time[TIME_TEXT_BYTES];

    time_text(c->time_us, time);
    buf_printf(out,
               "{\"specversion\":\"1.0\",\"id\":\"click-%zu\",\"source\":\"/auditor\",\"type\":\"record-view\","
               "\"time\":\"%s\",\"data\":{\"timestamp\":\"%s\",\"recid\":\"r%d\",\"parent_recid\":\"p%d\","
               "\"session_id\":\"auditor\",\"ip_address\":\"192.0.2.9\",\"user_agent\":\"Mozilla/5.0 Firefox/1\","
               "\"referrer\":null,\"via_api\":false}}",
               number, time, time, c->item, c->item);
}

/* Clicks by their numbers, so many in a request, at one door after the other. */
static void send_clicks(struct audit *a, const size_t *order, size_t count, size_t together)
{
    struct buf body = BUF_INIT;

    for (size_t at = 0, request = 0; at < count; request++) {
        buf_reset(&body);
        for (size_t i = 0; i < together && at < count; i++, at++) {
            buf_add_char(&body, i ? ',' : '[');
            add_event(a, order[at], &body);
        }
        buf_add_char(&body, ']');
        counting_send(&a->counting, request, "application/cloudevents-batch+json", body.data);
    }
    buf_release(&body);
}

static void in_order(const struct audit *a, size_t order[CLICKS_MOST])
{
    for (size_t i = 0; i < a->count; i++)
        order[i] = i;
}

/* As an auditor does it: when one comes, what was before is indexed. */
static void click_by_click(struct audit *a)
{
    for (size_t i = 0; i < a->count; i++) {
        send_clicks(a, &i, 1, 1);
        counting_wait_for_events(&a->counting);
    }
}

/* As late as lateness allows: each click comes before or after any that is less than ten minutes from it. */
static void shuffled(struct audit *a, size_t order[CLICKS_MOST])
{
    int64_t due_us[CLICKS_MOST];

    for (size_t i = 0; i < a->count; i++) {
        size_t at = i;

        due_us[i] = a->clicks[i].time_us + between(a, 0, 599) * US_PER_SECOND;
        for (; at > 0 && due_us[order[at - 1]] > due_us[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

/* ----------------------------------------------------------------------------------------------------- the numbers */

static void check_aggregates(struct audit *a, int64_t total, int64_t unique)
{
    struct counting *c = &a->counting;
    char path[200];
    json_t *answer;

    snprintf(path, sizeof path, "/%sstats-record-view/_search?size=0", c->scene->settings->opensearch.prefix);
    index_count(c->scene->settings, "stats-record-view"); /* refreshes */
    answer = index_ask(c->scene->settings, "POST", path,
                       "{\"aggs\":{\"total\":{\"sum\":{\"field\":\"count\"}},"
                       "\"unique\":{\"sum\":{\"field\":\"unique_count\"}}}}");
    assert_int_equal((int64_t)json_number_value(json_at(answer, "aggregations.total.value")), total);
    assert_int_equal((int64_t)json_number_value(json_at(answer, "aggregations.unique.value")), unique);
    json_decref(answer);
}

/* Every item asked for by itself, and summed here. */
static void check_queries(struct audit *a, int64_t total, int64_t unique)
{
    int64_t views = 0, unique_views = 0;
    struct buf body = BUF_INIT;
    const char *name;
    json_t *answer, *one;

    for (int item = 0; item < TESTS; item++)
        buf_printf(&body, "%s\"%d\":{\"stat\":\"record-view\",\"params\":{\"recid\":\"r%d\"}}", item ? "," : "{", item,
                   item);
    buf_add_char(&body, '}');
    answer = counting_query(&a->counting, 1, body.data);
    json_object_foreach(answer, name, one)
    {
        views += (int64_t)json_number_value(json_object_get(one, "views"));
        unique_views += (int64_t)json_number_value(json_object_get(one, "unique_views"));
    }
    assert_int_equal(views, total);
    assert_int_equal(unique_views, unique);
    json_decref(answer);
    buf_release(&body);
}

static void check_top(struct audit *a, int64_t total, int64_t unique)
{
    char *said =
        counting_crier(&a->counting, (const char *const[]){"stats", "top", "views", "--limit", "100", "--json", NULL});
    json_t *rows = json_loads(said, 0, NULL), *row;
    int64_t views = 0, unique_views = 0;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        views += json_integer_value(json_object_get(row, "count"));
        unique_views += json_integer_value(json_object_get(row, "unique"));
    }
    assert_int_equal(views, total);
    assert_int_equal(unique_views, unique);
    json_decref(rows);
    free(said);
}

/* Of a metric, wherever it stands in a report. */
static int64_t sum_of(const json_t *value, const char *metric)
{
    int64_t sum = 0;
    const char *name;
    json_t *member;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)value, i, member)
    {
        sum += sum_of(member, metric);
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        if (strcmp(name, metric) != 0) {
            sum += sum_of(member, metric);
            continue;
        }
        for (void *at = json_object_iter(member); at; at = json_object_iter_next(member, at))
            sum += json_integer_value(json_object_iter_value(at));
    }
    return sum;
}

static void check_report(struct audit *a, const char *kind, int64_t total, int64_t unique)
{
    char month[16], *said, *start;
    json_t *report;

    time_format(a->start_us, "%Y-%m", month, sizeof month);
    said = counting_crier(&a->counting,
                          (const char *const[]){"report", "cop51", "--report", kind, "--month", month, NULL});
    start = strstr(said, "{\"Report_Header\"");
    report = start ? json_loads(start, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    if (!report)
        fail_msg("%s", said);
    assert_int_equal(sum_of(report, "Total_Item_Investigations"), total);
    assert_int_equal(sum_of(report, "Unique_Item_Investigations"), unique);
    json_decref(report);
    free(said);
}

static void check_records(struct audit *a, int64_t total, int64_t unique)
{
    int64_t views = 0, unique_views = 0;

    for (int item = 0; item < TESTS; item++) {
        char id[20];
        json_t *record;

        snprintf(id, sizeof id, "uuid-%d", item);
        record = counting_document(&a->counting, "records", id);
        views += (int64_t)json_number_value(json_at(record, "_source.stats.this_version.views"));
        unique_views += (int64_t)json_number_value(json_at(record, "_source.stats.this_version.unique_views"));
        assert_int_equal(json_integer_value(json_object_get(record, "_version")), 3 + item);
        json_decref(record);
    }
    assert_int_equal(views, total);
    assert_int_equal(unique_views, unique);
}

/* Every click is there, and everywhere the numbers are those. */
static void counted(struct audit *a, int64_t total, int64_t unique)
{
    counting_wait(&a->counting);
    assert_int_equal(index_count(a->counting.scene->settings, "events-stats-record-view-*"), (int64_t)a->count);
    check_aggregates(a, total, unique);
    check_queries(a, total, unique);
    check_top(a, total, unique);
    check_report(a, "IR", total, unique);
    check_report(a, "PR", total, unique);
    check_records(a, total, unique);
}

/* ---------------------------------------------------------------------------------------------------------- tests */

static void the_audit_click_by_click_gives_45_and_30_wherever_one_looks(void **state)
{
    struct audit *a = *state;

    make_records(a);
    plan_audit(a);
    click_by_click(a);
    counted(a, TOTAL, UNIQUE);
}

static void ten_clicks_twenty_seconds_apart_are_one(void **state)
{
    struct audit *a = *state;

    make_records(a);
    for (int i = 0; i < 10; i++)
        click(a, 0, i * INT64_C(20));
    click_by_click(a);
    counted(a, 1, 1);
}

static void in_whatever_order_within_the_lateness_it_is_45_and_30(void **state)
{
    struct audit *a = *state;
    size_t order[CLICKS_MOST];

    make_records(a);
    plan_audit(a);
    shuffled(a, order);
    send_clicks(a, order, a->count, 4);
    counted(a, TOTAL, UNIQUE);
}

static void sent_twice_and_replayed_days_later_it_is_45_and_30(void **state)
{
    struct audit *a = *state;
    size_t order[CLICKS_MOST];

    make_records(a);
    plan_audit(a);
    in_order(a, order);
    for (int time = 0; time < 2; time++)
        send_clicks(a, order, a->count, 7);
    counted(a, TOTAL, UNIQUE);
    counting_forget(&a->counting, "crier:*:seen:*");
    counting_forget(&a->counting, "crier:*:clicks:*");
    shuffled(a, order);
    send_clicks(a, order, a->count, 3);
    counted(a, TOTAL, UNIQUE);
}

static void with_a_service_killed_in_the_middle_it_is_45_and_30(void **state)
{
    struct audit *a = *state;
    size_t order[CLICKS_MOST];

    make_records(a);
    plan_audit(a);
    shuffled(a, order);
    for (size_t at = 0; at < a->count; at += 12) {
        send_clicks(a, order + at, a->count - at < 12 ? a->count - at : 12, 2);
        server_kill(a->counting.services[at / 12 % 2]);
        server_restart(a->counting.services[at / 12 % 2]);
    }
    counted(a, TOTAL, UNIQUE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_audit_click_by_click_gives_45_and_30_wherever_one_looks),
        TEST(ten_clicks_twenty_seconds_apart_are_one),
        TEST(in_whatever_order_within_the_lateness_it_is_45_and_30),
        TEST(sent_twice_and_replayed_days_later_it_is_45_and_30),
        TEST(with_a_service_killed_in_the_middle_it_is_45_and_30),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
