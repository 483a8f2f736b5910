/*
 * Moving over from a running invenio-stats: its indices, templates and bookmarks as it leaves them, its queues half
 * full; then crier with the two profiles and the address of the broker, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/json.h"
#include "notifier/platform/kombu_queue.h"
#include "support/counting.h"
#include "support/search_index.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000, KILLS = 5 };

#define MINUTE_US (60 * US_PER_SECOND)
#define DAY_US    (24 * 60 * MINUTE_US)
#define VIEWS     "stats-record-view"
#define DOWNLOADS "stats-file-download"

static const char ini[] = "[redis]\nurl = REDIS\ntimeout = 2s\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\n"
                          "[event record-view]\nprofile = invenio-record-view\n"
                          "[event file-download]\nprofile = invenio-file-download\n"
                          "[handler record-stats]\nindex = records\nschedule = every 200ms\n"
                          "[handler record-view-agg]\nschedule = every 200ms\n"
                          "[handler file-download-agg]\nschedule = every 200ms\n"
                          "[platform]\nurl = %s\npoll = 50ms\n";

static const char *const records[] = {"a", "b", "c"};

struct fixture {
    struct counting counting;
    struct server *broker;
    struct redis_address address;
    struct redis *kombu;
    struct arena *arena;
    int64_t now_us; /* ten minutes ago: when what is in the queues happened */
    int events, messages;
};

/* ---------------------------------------------------------------------------------------- what the platform left */

static const struct {
    const char *name, *properties; /* besides timestamp and updated_timestamp */
} templates[] = {
    {"events-" VIEWS,     "labels:keyword country:keyword visitor_id:keyword is_machine:boolean is_robot:boolean "
                      "unique_id:keyword unique_session_id:keyword referrer:keyword ip_address:keyword "
                      "user_agent:keyword user_id:keyword session_id:keyword record_id:keyword recid:keyword "
                      "parent_id:keyword parent_recid:keyword via_api:boolean"},
    {"events-" DOWNLOADS, "bucket_id:keyword file_id:keyword file_key:keyword unique_id:keyword country:keyword "
                          "visitor_id:keyword is_machine:boolean is_robot:boolean unique_session_id:keyword "
                          "size:double referrer:keyword ip_address:keyword user_agent:keyword user_id:keyword "
                          "session_id:keyword record_id:keyword recid:keyword parent_id:keyword "
                          "parent_recid:keyword via_api:boolean"          },
    {VIEWS,               "count:integer unique_count:integer record_id:keyword recid:keyword parent_id:keyword "
            "parent_recid:keyword unique_id:keyword via_api:boolean"                    },
    {DOWNLOADS,           "count:integer unique_count:integer volume:double file_id:keyword file_key:keyword "
                "bucket_id:keyword unique_id:keyword record_id:keyword recid:keyword parent_id:keyword "
                "parent_recid:keyword via_api:boolean"                              },
};

static void ask(struct fixture *f, const char *method, const char *path, const char *body)
{
    json_decref(index_ask(f->counting.scene->settings, method, path, body));
}

static const char *prefix_of(const struct fixture *f)
{
    return f->counting.scene->settings->opensearch.prefix;
}

/* Legacy ones, with the very patterns that crier has its own for. */
static void put_templates(struct fixture *f)
{
    for (size_t i = 0; i < ARRAY_LENGTH(templates); i++) {
        const char *at = templates[i].properties, *word;
        struct buf body = BUF_INIT;
        char path[200];
        size_t length;

        buf_printf(&body,
                   "{\"index_patterns\":[\"%s%s-*\"],\"aliases\":{\"%s%s\":{}},\"mappings\":{\"dynamic\":\"strict\","
                   "\"date_detection\":false,\"properties\":{\"timestamp\":{\"type\":\"date\",\"format\":"
                   "\"date_optional_time\"},\"updated_timestamp\":{\"type\":\"date\"}",
                   prefix_of(f), templates[i].name, prefix_of(f), templates[i].name);
        while (text_word(&at, &word, &length)) {
            int name = (int)((const char *)memchr(word, ':', length) - word);

            buf_printf(&body, ",\"%.*s\":{\"type\":\"%.*s\"}", name, word, (int)length - name - 1, word + name + 1);
        }
        buf_add_text(&body, "}}}");
        snprintf(path, sizeof path, "/_template/%s%s", prefix_of(f), templates[i].name);
        ask(f, "PUT", path, body.data);
        buf_release(&body);
    }
}

static void put(struct fixture *f, const char *index, const char *id, const char *document)
{
    struct buf lines = BUF_INIT;

    buf_printf(&lines, "{\"index\":{\"_index\":\"%s%s\"%s%s%s}}\n%s\n", prefix_of(f), index, id ? ",\"_id\":\"" : "",
               id ? id : "", id ? "\"" : "", document);
    index_bulk(f->counting.scene->settings, lines.data);
    buf_release(&lines);
}

static const char *text_of(struct fixture *f, int64_t time_us, const char *format)
{
    char text[40];

    time_format(time_us, format, text, sizeof text);
    return arena_text(f->arena, text);
}

static const char *index_of(struct fixture *f, const char *name, int64_t time_us)
{
    return arena_printf(f->arena, "%s-%s", name, text_of(f, time_us, "%Y-%m"));
}

static const char *id_of(struct fixture *f, const char *record, int64_t time_us)
{
    return arena_printf(f->arena, "ui_%s-%s", record, text_of(f, time_us, "%Y-%m-%d"));
}

/* A view that invenio-stats indexed at that moment: twice, as it does when a batch was tried again. */
static void put_event(struct fixture *f, const char *record, int64_t time_us, int64_t indexed_us)
{
    const char *time = text_of(f, time_us, "%Y-%m-%dT%H:%M:%S");
    int number = f->events++;

    for (int twice = 0; twice < 2; twice++)
        put(f, index_of(f, "events-" VIEWS, time_us), arena_printf(f->arena, "%s-%040d", time, number),
            arena_printf(f->arena,
                         "{\"timestamp\":\"%s\",\"recid\":\"%s\",\"parent_recid\":\"p-%s\",\"unique_id\":\"ui_%s\","
                         "\"visitor_id\":\"v%d\",\"unique_session_id\":\"s%d\",\"is_robot\":false,\"is_machine\":false,"
                         "\"via_api\":false,\"country\":null,\"referrer\":null,\"updated_timestamp\":\"%s\"}",
                         time, record, record, record, number, number,
                         text_of(f, indexed_us, "%Y-%m-%dT%H:%M:%S.000001+00:00")));
}

static void put_aggregate(struct fixture *f, const char *record, int64_t time_us, int count)
{
    put(f, index_of(f, VIEWS, time_us), id_of(f, record, time_us),
        arena_printf(f->arena,
                     "{\"timestamp\":\"%s\",\"unique_id\":\"ui_%s\",\"recid\":\"%s\",\"parent_recid\":\"p-%s\","
                     "\"via_api\":false,\"count\":%d,\"unique_count\":%d,\"updated_timestamp\":\"%s\"}",
                     text_of(f, time_us, "%Y-%m-%dT00:00:00"), record, record, record, count, count,
                     text_of(f, time_us, "%Y-%m-%dT%H:%M:%S.000001")));
}

static void put_record(struct fixture *f, const char *record, int revision)
{
    struct buf lines = BUF_INIT;

    buf_printf(&lines,
               "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"uuid-%s\",\"version\":%d,\"version_type\":"
               "\"external_gte\"}}\n{\"id\":\"%s\",\"parent\":{\"id\":\"p-%s\"}}\n",
               prefix_of(f), record, revision, record, record);
    index_bulk(f->counting.scene->settings, lines.data);
    buf_release(&lines);
}

static void put_records(struct fixture *f)
{
    ask(f, "PUT", arena_printf(f->arena, "/%srecords", prefix_of(f)),
        "{\"mappings\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"parent\":{\"properties\":{\"id\":{\"type\":"
        "\"keyword\"}}}}}}");
    for (size_t i = 0; i < ARRAY_LENGTH(records); i++)
        put_record(f, records[i], 7);
}

static int64_t bookmark_us(const struct fixture *f)
{
    return f->now_us - 10 * MINUTE_US;
}

static void put_bookmarks(struct fixture *f)
{
    static const char *const aggregations[] = {"record-view-agg", "file-download-agg"};

    ask(f, "PUT", arena_printf(f->arena, "/%sstats-bookmarks", prefix_of(f)),
        "{\"mappings\":{\"dynamic\":\"strict\",\"properties\":{\"date\":{\"type\":\"date\",\"format\":"
        "\"date_optional_time\"},\"aggregation_type\":{\"type\":\"keyword\"}}}}");
    for (size_t i = 0; i < ARRAY_LENGTH(aggregations); i++)
        for (int hour = 3; hour >= 0; hour--)
            put(f, "stats-bookmarks", NULL,
                arena_printf(f->arena, "{\"date\":\"%s\",\"aggregation_type\":\"%s\"}",
                             text_of(f, bookmark_us(f) - hour * 60 * MINUTE_US, "%Y-%m-%dT%H:%M:%S.123456+00:00"),
                             aggregations[i]));
}

static int64_t yesterday(const struct fixture *f)
{
    return f->now_us - DAY_US;
}

static int64_t last_week(const struct fixture *f)
{
    return f->now_us - 7 * DAY_US;
}

static int64_t long_ago(const struct fixture *f)
{
    return f->now_us - 800 * DAY_US;
}

/*
 * Of record a: 40 views whose events are gone, 4 of last week, 5 of yesterday of which two came half an hour before the
 * last bookmark and were never counted. Of record b: 3 of last week of which one came days later and was not counted.
 */
static void leave_documents(struct fixture *f)
{
    put_aggregate(f, "a", long_ago(f), 40);
    for (int i = 0; i < 4; i++)
        put_event(f, "a", last_week(f), last_week(f) + MINUTE_US);
    put_aggregate(f, "a", last_week(f), 4);
    for (int i = 0; i < 5; i++)
        put_event(f, "a", yesterday(f), i < 3 ? yesterday(f) + MINUTE_US : bookmark_us(f) - 30 * MINUTE_US);
    put_aggregate(f, "a", yesterday(f), 3);
    for (int i = 0; i < 3; i++)
        put_event(f, "b", last_week(f), last_week(f) + (i < 2 ? MINUTE_US : 3 * DAY_US));
    put_aggregate(f, "b", last_week(f), 2);
}

/* As kombu 5 serializes what invenio-queues publishes, at one of its priorities. */
static void publish(struct fixture *f, const char *queue, const char *record, int64_t time_us)
{
    int number = f->messages++;
    const char *body = arena_printf(
        f->arena,
        "{\"timestamp\": \"%s.%06d\", \"recid\": \"%s\", \"parent_recid\": \"p-%s\", \"referrer\": null, "
        "\"ip_address\": \"192.0.2.7\", \"user_agent\": \"Mozilla/5.0 Firefox/1\", \"user_id\": null, "
        "\"session_id\": \"session-%d\", \"via_api\": false%s}",
        text_of(f, time_us, "%Y-%m-%dT%H:%M:%S"), number, record, record, number,
        strcmp(queue, VIEWS) == 0 ? ""
                                  : ", \"bucket_id\": \"bucket\", \"file_id\": \"file\", \"file_key\": \"data.csv\", "
                                    "\"size\": 100");
    char *base64 = arena_zero(f->arena, strlen(body) * 2 + 8);
    struct error err;

    EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)body, (int)strlen(body));
    if (!redis_do(
            f->kombu, f->arena, NULL, &err, "LPUSH %s %s", kombu_list(queue, number % 2, f->arena),
            arena_printf(f->arena,
                         "{\"body\": \"%s\", \"content-encoding\": \"utf-8\", \"content-type\": "
                         "\"application/json\", \"headers\": {}, \"properties\": {\"delivery_mode\": 1, "
                         "\"delivery_info\": {\"exchange\": \"events\", \"routing_key\": \"%s\"}, \"priority\": "
                         "0, \"body_encoding\": \"base64\", \"delivery_tag\": \"00000000-0000-4000-8000-%012d\"}}",
                         base64, queue, number)))
        fail_msg("%s", err.text);
}

/* Views of a, of b (yesterday) and of c, a record new to everybody; downloads of a file of a. */
static void fill_queues(struct fixture *f)
{
    for (int i = 0; i < 2; i++)
        publish(f, VIEWS, "a", f->now_us);
    publish(f, VIEWS, "b", yesterday(f));
    for (int i = 0; i < 3; i++)
        publish(f, VIEWS, "c", f->now_us);
    for (int i = 0; i < 4; i++)
        publish(f, DOWNLOADS, "a", f->now_us);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error err;
    char text[2000];

    assert_non_null(f);
    f->broker = redis_server_start(NULL);
    assert_true(redis_address_parse(redis_server_url(f->broker), &f->address, &err));
    f->kombu = redis_new(&(struct redis_options){&f->address, 2000});
    f->arena = arena_new();
    f->now_us = clock_wall_us() - 10 * MINUTE_US;
    snprintf(text, sizeof text, ini, redis_server_url(f->broker));
    counting_open(&f->counting, text);
    put_templates(f);
    put_bookmarks(f);
    leave_documents(f);
    put_records(f);
    fill_queues(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ask(f, "DELETE", arena_printf(f->arena, "/_template/%s*", prefix_of(f)), NULL);
    counting_close(&f->counting);
    redis_free(f->kombu);
    redis_address_release(&f->address);
    server_free(f->broker);
    arena_free(f->arena);
    free(f);
    return 0;
}

/* ------------------------------------------------------------------------------------------------- what became of it
 */

static int64_t waiting(struct fixture *f, const char *queue)
{
    const struct reply *reply;
    int64_t all = 0;
    struct error err;

    for (int i = 0; i < KOMBU_PRIORITIES; i++) {
        if (!redis_do(f->kombu, f->arena, &reply, &err, "LLEN %s", kombu_list(queue, i, f->arena)))
            fail_msg("%s", err.text);
        all += reply->integer;
    }
    return all;
}

static bool taken_over(struct fixture *f)
{
    struct scene *s = f->counting.scene;

    return waiting(f, VIEWS) + waiting(f, DOWNLOADS) == 0 &&
           scene_redis(s, "HEXISTS crier:{%s}:aggregated:record-view-agg ran", VIEWS)->integer == 1 &&
           scene_redis(s, "HEXISTS crier:{%s}:aggregated:file-download-agg ran", DOWNLOADS)->integer == 1;
}

/* The queues are empty, both aggregations have begun with what they found, and all of it is computed. */
static void wait_until_counted(struct fixture *f)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!taken_over(f)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("crier does not take over");
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
    counting_wait(&f->counting);
}

static void views_are(struct fixture *f, const char *record, int64_t time_us, int64_t count)
{
    const char *index = index_of(f, VIEWS, time_us), *id = id_of(f, record, time_us);

    counting_number_is(&f->counting, index, id, "_source.count", count);
    counting_number_is(&f->counting, index, id, "_source.unique_count", count);
}

static void record_has(struct fixture *f, const char *record, const char *what, int64_t number)
{
    const char *id = arena_printf(f->arena, "uuid-%s", record);

    counting_number_is(&f->counting, "records", id, arena_printf(f->arena, "_source.stats.this_version.%s", what),
                       number);
    counting_number_is(&f->counting, "records", id, arena_printf(f->arena, "_source.stats.all_versions.%s", what),
                       number);
}

static void all_is_counted_once(struct fixture *f)
{
    const struct settings *s = f->counting.scene->settings;
    const char *file = arena_printf(f->arena, "bucket_file-%s", text_of(f, f->now_us, "%Y-%m-%d"));

    assert_int_equal(index_count(s, "events-" VIEWS), f->events + 6);
    assert_int_equal(index_count(s, "events-" DOWNLOADS), 4);
    views_are(f, "a", long_ago(f), 40);
    views_are(f, "a", last_week(f), 4);
    views_are(f, "a", yesterday(f), 5);
    views_are(f, "a", f->now_us, 2);
    views_are(f, "b", last_week(f), 2);
    views_are(f, "b", yesterday(f), 1);
    views_are(f, "c", f->now_us, 3);
    assert_int_equal(index_count(s, VIEWS), 7); /* and none besides */
    counting_number_is(&f->counting, index_of(f, DOWNLOADS, f->now_us), file, "_source.count", 4);
    counting_number_is(&f->counting, index_of(f, DOWNLOADS, f->now_us), file, "_source.volume", 400);
    record_has(f, "a", "views", 40 + 4 + 5 + 2);
    record_has(f, "a", "unique_downloads", 4);
    record_has(f, "b", "views", 2 + 1);
    record_has(f, "c", "views", 3);
    for (size_t i = 0; i < ARRAY_LENGTH(records); i++)
        counting_number_is(&f->counting, "records", arena_printf(f->arena, "uuid-%s", records[i]), "_version", 7);
}

/* ---------------------------------------------------------------------------------------------------------- tests */

static void what_was_and_what_comes_is_counted_once_and_late_views_are_repaired(void **state)
{
    struct fixture *f = *state;

    counting_serve(&f->counting, 1);
    wait_until_counted(f);
    all_is_counted_once(f);
    free(counting_crier(&f->counting, (const char *const[]){"aggregations", "run", "--from",
                                                            text_of(f, last_week(f), "%Y-%m-%d"), NULL}));
    views_are(f, "b", last_week(f), 3);
    free(counting_crier(&f->counting, (const char *const[]){"aggregations", "run", "--all", NULL}));
    counting_number_is(&f->counting, index_of(f, VIEWS, long_ago(f)), id_of(f, "a", long_ago(f)), "_version", 1);
    counting_wait(&f->counting);
    record_has(f, "a", "views", 40 + 4 + 5 + 2);
    record_has(f, "b", "views", 3 + 1);
}

static void killed_again_and_again_while_it_takes_over_it_counts_once(void **state)
{
    struct fixture *f = *state;

    counting_serve(&f->counting, 1);
    for (int i = 0; i < KILLS; i++) {
        nanosleep(&(struct timespec){0, (i * 70 + 1) * 1000000L}, NULL);
        work_survives(f->counting.scene, VIEWS, "events-" VIEWS);
        work_survives(f->counting.scene, DOWNLOADS, "events-" DOWNLOADS);
        server_kill(f->counting.services[0]);
        server_restart(f->counting.services[0]);
    }
    wait_until_counted(f);
    all_is_counted_once(f);
}

/* The first hit of a search for the views of c. */
static json_t *some_event(struct fixture *f)
{
    json_t *answer = index_ask(f->counting.scene->settings, "GET",
                               arena_printf(f->arena, "/%sevents-" VIEWS "/_search?q=recid:c", prefix_of(f)), NULL);
    json_t *hit = json_incref(json_array_get(json_at(answer, "hits.hits"), 0));

    json_decref(answer);
    return hit;
}

static void the_platform_can_go_on_writing_the_same_documents(void **state)
{
    struct fixture *f = *state;
    char *document;
    json_t *event;

    counting_serve(&f->counting, 1);
    wait_until_counted(f);
    put_aggregate(f, "c", f->now_us, 99); /* its own aggregator, by id and without a version */
    put_record(f, "c", 8);
    assert_int_equal(index_count(f->counting.scene->settings, "events-" VIEWS), f->events + 6);
    event = some_event(f);
    document = json_dumps(json_object_get(event, "_source"), JSON_COMPACT);
    put(f, json_member_text(event, "_index", "") + strlen(prefix_of(f)), json_member_text(event, "_id", ""), document);
    publish(f, VIEWS, "c", f->now_us);
    wait_until_counted(f);
    views_are(f, "c", f->now_us, 4);
    record_has(f, "c", "views", 4);
    counting_number_is(&f->counting, "records", "uuid-c", "_version", 8);
    assert_int_equal(index_count(f->counting.scene->settings, "events-" VIEWS), f->events + 7);
    json_decref(event);
    free(document);
}

static int64_t newest_bookmark_us(struct fixture *f, const char *aggregation)
{
    const struct settings *s = f->counting.scene->settings;
    int64_t newest_ms;
    json_t *answer;

    index_count(s, "stats-bookmarks"); /* refreshes */
    answer = index_ask(s, "GET",
                       arena_printf(f->arena, "/%sstats-bookmarks/_search?q=aggregation_type:%s&sort=date:desc",
                                    prefix_of(f), aggregation),
                       NULL);
    newest_ms =
        json_integer_value(json_array_get(json_object_get(json_array_get(json_at(answer, "hits.hits"), 0), "sort"), 0));
    json_decref(answer);
    return newest_ms * 1000;
}

/* It is written when all is counted. */
static void the_platforms_bookmarks_are_kept_up_to_date(void **state)
{
    static const char *const aggregations[] = {"record-view-agg", "file-download-agg"};
    struct fixture *f = *state;
    int64_t began_us = clock_wall_us(), until_ms;

    counting_serve(&f->counting, 1);
    wait_until_counted(f);
    until_ms = clock_monotonic_ms() + PATIENCE_MS;
    for (size_t i = 0; i < ARRAY_LENGTH(aggregations); i++) {
        int64_t date_us;

        while ((date_us = newest_bookmark_us(f, aggregations[i])) < began_us - 1000) {
            if (clock_monotonic_ms() > until_ms)
                fail_msg("the newest bookmark of %s is of %lld", aggregations[i], (long long)date_us);
            nanosleep(&(struct timespec){0, 50000000}, NULL);
        }
        assert_true(date_us <= clock_wall_us());
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_and_what_comes_is_counted_once_and_late_views_are_repaired),
        TEST(killed_again_and_again_while_it_takes_over_it_counts_once),
        TEST(the_platform_can_go_on_writing_the_same_documents),
        TEST(the_platforms_bookmarks_are_kept_up_to_date),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
