#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/query/stats_query.h"
#include "support/door_client.h"
#include "support/search_index.h"

#define QUERIES                                                                                                        \
    "[http]\nlisten = 127.0.0.1:0\nbatch = 64KiB\n"                                                                    \
    "[query record-download]\nindex = stats-file-download\nrequired = recid\n"                                         \
    "metrics = downloads=sum(count) unique_downloads=sum(unique_count) data_volume=sum(volume)\n"                      \
    "copy = recid parent=parent_recid\n"                                                                               \
    "[query by-file]\nindex = stats-file-download\nrequired = recid\nmetrics = downloads=sum(count)\n"                 \
    "group = file_key country\n"                                                                                       \
    "[query over-time]\nkind = histogram\nindex = stats-file-download\nrequired = recid\n"                             \
    "metrics = downloads=sum(count)\ncopy = parent=parent_recid\n"                                                     \
    "[query nothing-yet]\nindex = stats-not-there\nmetrics = views=sum(count) most=max(count)\n"                       \
    "[query no-index-fits]\nindex = stats-not-there-*\nmetrics = views=sum(count)\n"                                   \
    "[query numbered]\nindex = stats-file-download\nrequired = number=volume\nmetrics = downloads=sum(count)\n"

struct stage {
    struct door_client client;
    struct stats_query *query;
    struct door_page pages[2];
};

static void open_stage(void **state, const char *servers)
{
    struct stage *s = xcalloc(1, sizeof *s);
    struct buf ini = BUF_INIT;
    struct error err;

    buf_printf(&ini, "[redis]\nurl = REDIS\n[opensearch]\nprefix = PREFIX\n%s" QUERIES, servers);
    s->client.scene = scene_open(ini.data);
    s->query = stats_query_new(s->client.scene->settings, &err);
    assert_non_null(s->query);
    s->pages[0] = (struct door_page){.path = "/stats",
                                     .content_type = "application/json",
                                     .answer = stats_query_answer,
                                     .context = s->query,
                                     .body_bytes = STATS_QUERY_BODY_BYTES};
    s->client.door = door_open(s->client.scene->settings, s->pages, &err);
    assert_non_null(s->client.door);
    s->client.curl = curl_easy_init();
    buf_init(&s->client.body);
    buf_release(&ini);
    *state = s;
}

static void make_index(const struct settings *settings)
{
    static const char mapping[] =
        "{\"mappings\":{\"properties\":{\"timestamp\":{\"type\":\"date\",\"format\":\"date_optional_time\"},"
        "\"recid\":{\"type\":\"keyword\"},\"parent_recid\":{\"type\":\"keyword\"},\"file_key\":{\"type\":\"keyword\"},"
        "\"country\":{\"type\":\"keyword\"},\"count\":{\"type\":\"integer\"},\"unique_count\":{\"type\":\"integer\"},"
        "\"volume\":{\"type\":\"double\"}}}}";
    static const char *const documents[] = {
        "\"timestamp\":\"2026-10-31T00:00:00\",\"file_key\":\"a.pdf\",\"country\":\"CH\",\"count\":4,\"unique_count\":"
        "2,"
        "\"volume\":400.5",
        "\"timestamp\":\"2026-11-02T00:00:00\",\"file_key\":\"a.pdf\",\"country\":\"DE\",\"count\":2,\"unique_count\":"
        "1,"
        "\"volume\":200",
        "\"timestamp\":\"2026-11-02T00:00:00\",\"file_key\":\"b.pdf\",\"country\":\"DE\",\"count\":1,\"unique_count\":"
        "1,"
        "\"volume\":7",
    };
    struct buf path = BUF_INIT, lines = BUF_INIT;

    index_delete(settings, "stats-file-download");
    buf_printf(&path, "/%sstats-file-download", settings->opensearch.prefix);
    json_decref(index_ask(settings, "PUT", path.data, mapping));
    for (size_t i = 0; i < ARRAY_LENGTH(documents); i++)
        buf_printf(&lines,
                   "{\"index\":{\"_index\":\"%sstats-file-download\"}}\n"
                   "{%s,\"recid\":\"r1\",\"parent_recid\":\"p%zu\"}\n",
                   settings->opensearch.prefix, documents[i], i);
    index_bulk(settings, lines.data);
    buf_release(&lines);
    buf_release(&path);
}

static int setup(void **state)
{
    open_stage(state, "url = SEARCH\n");
    make_index(((struct stage *)*state)->client.scene->settings);
    return 0;
}

static int setup_without_search(void **state)
{
    char servers[100];

    snprintf(servers, sizeof servers, "url = http://127.0.0.1:%d\nconnect = 500ms\n", port_find());
    open_stage(state, servers);
    return 0;
}

static int close_stage(void **state)
{
    struct stage *s = *state;

    curl_easy_cleanup(s->client.curl);
    door_close(s->client.door);
    stats_query_free(s->query);
    scene_close(s->client.scene);
    json_decref(s->client.json);
    buf_release(&s->client.body);
    free(s);
    return 0;
}

static int teardown(void **state)
{
    index_delete(((struct stage *)*state)->client.scene->settings, "stats-file-download");
    return close_stage(state);
}

static long post(struct stage *s, const char *body)
{
    return client_request(&s->client, "POST", "/stats", (const char *const[]){JSON, NULL}, body, strlen(body));
}

static void answers(struct stage *s, const char *body, const char *expected)
{
    struct error err;
    json_t *wanted = json_text_parse(expected, strlen(expected), 20, &err);

    if (!wanted)
        fail_msg("%s", err.text);
    assert_int_equal(post(s, body), 200);
    if (!json_equal(wanted, s->client.json))
        fail_msg("asked    %s\nanswered %s\nwanted   %s", body, s->client.body.data, expected);
    json_decref(wanted);
}

/* ------------------------------------------------------------------------------------------------------- results */

static void a_terms_query_answers_in_the_references_shape(void **state)
{
    answers(*state, "{\"mine\":{\"stat\":\"record-download\",\"params\":{\"recid\":\"r1\"}}}",
            "{\"mine\":{\"start_date\":null,\"end_date\":null,\"recid\":\"r1\",\"parent\":\"p1\","
            "\"downloads\":7.0,\"unique_downloads\":4.0,\"data_volume\":607.5}}");
}

static void dates_narrow_a_query_to_whole_seconds_and_come_back_as_python_writes_them(void **state)
{
    answers(*state,
            "{\"a\":{\"stat\":\"record-download\",\"params\":{\"recid\":\"r1\",\"start_date\":\"2026-11-01\","
            "\"end_date\":\"2026-11-30T23:59:59.5Z\"}},"
            "\"b\":{\"stat\":\"record-download\",\"params\":{\"recid\":\"r1\",\"start_date\":null,"
            "\"end_date\":\"2026-10-31 01:00+01:00\"}}}",
            "{\"a\":{\"start_date\":\"2026-11-01T00:00:00\",\"end_date\":\"2026-11-30T23:59:59.500000+00:00\","
            "\"recid\":\"r1\",\"parent\":\"p1\",\"downloads\":3.0,\"unique_downloads\":2.0,\"data_volume\":207.0},"
            "\"b\":{\"start_date\":null,\"end_date\":\"2026-10-31T01:00:00+01:00\",\"recid\":\"r1\",\"parent\":\"p0\","
            "\"downloads\":4.0,\"unique_downloads\":2.0,\"data_volume\":400.5}}");
}

static void fields_of_group_are_buckets_one_within_the_other(void **state)
{
    answers(*state, "{\"x\":{\"stat\":\"by-file\",\"params\":{\"recid\":\"r1\"}}}",
            "{\"x\":{\"start_date\":null,\"end_date\":null,\"downloads\":7.0,"
            "\"type\":\"bucket\",\"field\":\"file_key\",\"key_type\":\"terms\",\"buckets\":["
            "{\"key\":\"a.pdf\",\"downloads\":6.0,\"type\":\"bucket\",\"field\":\"country\",\"key_type\":\"terms\","
            "\"buckets\":[{\"key\":\"CH\",\"downloads\":4.0},{\"key\":\"DE\",\"downloads\":2.0}]},"
            "{\"key\":\"b.pdf\",\"downloads\":1.0,\"type\":\"bucket\",\"field\":\"country\",\"key_type\":\"terms\","
            "\"buckets\":[{\"key\":\"DE\",\"downloads\":1.0}]}]}}");
}

static void a_histogram_has_a_bucket_for_each_month(void **state)
{
    answers(*state, "{\"x\":{\"stat\":\"over-time\",\"params\":{\"recid\":\"r1\",\"interval\":\"month\"}}}",
            "{\"x\":{\"interval\":\"month\",\"key_type\":\"date\",\"start_date\":null,\"end_date\":null,\"buckets\":["
            "{\"key\":1790812800000,\"date\":\"2026-10-01T00:00:00.000Z\",\"downloads\":4.0,\"parent\":\"p0\"},"
            "{\"key\":1793491200000,\"date\":\"2026-11-01T00:00:00.000Z\",\"downloads\":3.0,\"parent\":\"p1\"}]}}");
}

static void a_histogram_is_by_day_unless_said_and_shows_days_without_any(void **state)
{
    struct stage *s = *state;

    assert_int_equal(post(s, "{\"x\":{\"stat\":\"over-time\",\"params\":{\"recid\":\"r1\"}}}"), 200);
    assert_string_equal(json_member_text(json_at(s->client.json, "x"), "interval", ""), "day");
    assert_int_equal(json_array_size(json_at(s->client.json, "x.buckets")), 3);
}

static void every_interval_is_taken(void **state)
{
    static const char *const intervals[] = {"year", "quarter", "month", "week", "day"};

    for (size_t i = 0; i < ARRAY_LENGTH(intervals); i++) {
        char body[200];

        snprintf(body, sizeof body,
                 "{\"x\":{\"stat\":\"over-time\",\"params\":{\"recid\":\"r1\",\"interval\":\"%s\"}}}", intervals[i]);
        assert_int_equal(post(*state, body), 200);
    }
}

static void an_index_that_is_not_there_yet_counts_as_zeros(void **state)
{
    answers(*state,
            "{\"a\":{\"stat\":\"nothing-yet\"},\"b\":{\"stat\":\"no-index-fits\",\"params\":{}},"
            "\"c\":{\"stat\":\"record-download\",\"params\":{\"recid\":\"r1\",\"more\":[1]}}}",
            "{\"a\":{\"views\":0,\"most\":0},\"b\":{\"views\":0},"
            "\"c\":{\"start_date\":null,\"end_date\":null,\"recid\":\"r1\",\"parent\":\"p1\","
            "\"downloads\":7.0,\"unique_downloads\":4.0,\"data_volume\":607.5}}");
}

static void nothing_asked_for_is_nothing_answered(void **state)
{
    answers(*state, "{}", "{}");
}

/* -------------------------------------------------------------------------------------------------------- errors */

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"{",                                                                                       "line 1"    },
        {"",                                                                                        "line 1"    },
        {"[]",                                                                                      "object"    },
        {"{\"x\":1}",                                                                               "'x'"       },
        {"{\"x\":null}",                                                                            "'x'"       },
        {"{\"x\":{}}",                                                                              "'x'"       },
        {"{\"x\":{\"stat\":1}}",                                                                    "'x'"       },
        {"{\"x\":{\"stat\":\"by-file\",\"params\":null}}",                                          "'x'"       },
        {"{\"x\":{\"stat\":\"by-file\",\"other\":{}}}",                                             "'x'"       },
        {"{\"x\":{\"stat\":\"by-file\",\"params\":{\"recid\":\"r\"},\"other\":1}}",                 "'x'"       },
        {"{\"x\":{\"stat\":\"no-such\"}}",                                                          "'no-such'" },
        {"{\"x\":{\"stat\":\"by-file\"}}",                                                          "recid"     },
        {"{\"x\":{\"stat\":\"by-file\",\"params\":{}}}",                                            "recid"     },
        {"{\"x\":{\"stat\":\"by-file\",\"params\":{\"recid\":null}}}",                              "recid"     },
        {"{\"x\":{\"stat\":\"by-file\",\"params\":{\"recid\":[\"r\"]}}}",                           "recid"     },
        {"{\"x\":{\"stat\":\"by-file\",\"params\":{\"recid\":\"r\",\"start_date\":\"soon\"}}}",     "start_date"},
        {"{\"x\":{\"stat\":\"by-file\",\"params\":{\"recid\":\"r\",\"end_date\":\"2026-02-30\"}}}", "end_date"  },
        {"{\"x\":{\"stat\":\"by-file\",\"params\":{\"recid\":\"r\",\"end_date\":5}}}",              "end_date"  },
        {"{\"x\":{\"stat\":\"over-time\",\"params\":{\"recid\":\"r\",\"interval\":\"hour\"}}}",     "interval"  },
        {"{\"x\":{\"stat\":\"over-time\",\"params\":{\"recid\":\"r\",\"interval\":7}}}",            "interval"  },
        {"{\"x\":{\"stat\":\"numbered\",\"params\":{\"number\":\"many\"}}}",                        "numbered"  },
    };
    struct stage *s = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (post(s, cases[i].body) != 400)
            fail_msg("%s: %ld", cases[i].body, s->client.status);
        assert_int_equal(json_integer_value(json_object_get(s->client.json, "status")), 400);
        if (!strstr(json_member_text(s->client.json, "message", ""), cases[i].says))
            fail_msg("%s: %s", cases[i].body, s->client.body.data);
    }
}

#define ASK(params) "{\"x\":{\"stat\":\"record-download\",\"params\":" params "}}"

static void what_is_hostile_is_refused_with_a_word_about_it(void **state)
{
    static const char *const bodies[] = {
        "{\"x\":{\"stat\":\"nothing-yet\"},\"x\":{\"stat\":\"nothing-yet\"}}",
        ASK("{\"recid\":\"r1\",\"recid\":\"r2\"}"),
        ASK("{\"recid\":1e400}"),
        ASK("{\"recid\":18446744073709551616}"),
        ASK("{\"recid\":\"r\\u0000\"}"),
        ASK("{\"recid\":\"\xff\"}"),
        ASK("{\"recid\":{\"wildcard\":\"*\"}}"),
        ASK("{\"recid\":{\"script\":{\"source\":\"1\"}}}"),
        ASK("{\"recid\":\"r1\",\"more\":[[[[[[[[[1]]]]]]]]]}"),
        ASK("[\"recid\"]"),
        "{\"x\":{\"stat\":\"record-download\\\"},\\\"y\"}}",
        "{\"x\":{\"stat\":\"stats-*\"}}",
        /* too long to be quoted whole: cut between two letters */
        "{\"aéééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé\":1}",
    };
    struct stage *s = *state;
    struct buf deep = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++)
        if (post(s, bodies[i]) != 400 || !*json_member_text(s->client.json, "message", ""))
            fail_msg("%s: %ld: %s", bodies[i], s->client.status, s->client.body.data);
    for (int i = 0; i < 100000; i++)
        buf_add_char(&deep, '[');
    assert_int_equal(post(s, deep.data), 400);
    buf_release(&deep);
}

static void a_parameter_is_a_value_whatever_it_looks_like(void **state)
{
    static const char *const values[] = {
        "\"*\"",
        "\"r?\"",
        "\"r1 OR r2\"",
        "\"\\\"}}]}}\\n{}\\n{\\\"query\\\":{\\\"match_all\\\":{}}}\"",
        "\"../_all\"",
        "\"/_all/_search\"",
        "\"params._source\"",
        "\"\"",
        "true",
        "1.5",
        "-9223372036854775808",
    };
    struct stage *s = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        struct buf body = BUF_INIT;

        buf_printf(&body, "{\"x\":{\"stat\":\"record-download\",\"params\":{\"recid\":%s}}}", values[i]);
        if (post(s, body.data) != 200 || json_number_value(json_at(s->client.json, "x.downloads")) != 0)
            fail_msg("%s: %ld: %s", values[i], s->client.status, s->client.body.data);
        buf_release(&body);
    }
}

static void a_hundred_statistics_are_one_request_and_more_are_refused(void **state)
{
    struct stage *s = *state;
    struct buf body = BUF_INIT;

    for (int i = 0; i < 100; i++)
        buf_printf(&body, "%s\"q%d\":{\"stat\":\"record-download\",\"params\":{\"recid\":\"r1\"}}", i ? "," : "{", i);
    buf_add_char(&body, '}');
    assert_int_equal(post(s, body.data), 200);
    assert_int_equal(json_object_size(s->client.json), 100);
    body.data[body.length - 1] = ',';
    buf_add_text(&body, "\"one\":{\"stat\":\"record-download\",\"params\":{\"recid\":\"r1\"}}}");
    assert_int_equal(post(s, body.data), 400);
    buf_release(&body);
}

static void the_page_takes_json_by_post_and_no_more_than_its_limit(void **state)
{
    struct stage *s = *state;
    size_t length = STATS_QUERY_BODY_BYTES + 1;
    char *spaces = xmalloc(length);

    memset(spaces, ' ', length);
    assert_int_equal(client_request(&s->client, "GET", "/stats", NULL, NULL, 0), 405);
    assert_string_equal(s->client.allow, "POST");
    assert_int_equal(
        client_request(&s->client, "POST", "/stats", (const char *const[]){"Content-Type: text/plain", NULL}, "{}", 2),
        415);
    assert_int_equal(client_request(&s->client, "POST", "/stats", (const char *const[]){JSON, NULL}, spaces, length),
                     413);
    assert_int_equal(client_request(&s->client, "POST", "/stats",
                                    (const char *const[]){JSON, "Transfer-Encoding: chunked", NULL}, spaces, length),
                     413);
    assert_int_equal(
        client_request(&s->client, "POST", "/stats", (const char *const[]){JSON "; charset=utf-8", NULL}, "{}", 2),
        200);
    free(spaces);
}

static void without_opensearch_the_answer_is_503_and_never_zeros(void **state)
{
    struct stage *s = *state;

    assert_int_equal(post(s, "{\"x\":{\"stat\":\"nothing-yet\"}}"), 503);
    assert_int_equal(json_integer_value(json_object_get(s->client.json, "status")), 503);
    assert_int_equal(s->client.retry_after, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_terms_query_answers_in_the_references_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(dates_narrow_a_query_to_whole_seconds_and_come_back_as_python_writes_them,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(fields_of_group_are_buckets_one_within_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(a_histogram_has_a_bucket_for_each_month, setup, teardown),
        cmocka_unit_test_setup_teardown(a_histogram_is_by_day_unless_said_and_shows_days_without_any, setup, teardown),
        cmocka_unit_test_setup_teardown(every_interval_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(an_index_that_is_not_there_yet_counts_as_zeros, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_asked_for_is_nothing_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_hostile_is_refused_with_a_word_about_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_parameter_is_a_value_whatever_it_looks_like, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hundred_statistics_are_one_request_and_more_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_takes_json_by_post_and_no_more_than_its_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(without_opensearch_the_answer_is_503_and_never_zeros, setup_without_search,
                                        close_stage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
