#include "support/leftovers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "notifier/platform/kombu_queue.h"
#include "support/search_index.h"

static const char ini[] = "[redis]\nurl = REDIS\ntimeout = 2s\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\n"
                          "[event record-view]\nprofile = invenio-record-view\n"
                          "[event file-download]\nprofile = invenio-file-download\n"
                          "[handler record-stats]\nindex = records\nschedule = every 200ms\n"
                          "[handler record-view-agg]\nschedule = every 200ms\n"
                          "[handler file-download-agg]\nschedule = every 200ms\n"
                          "[platform]\nurl = %s\npoll = 50ms\n";

const char *const leftover_records[3] = {"a", "b", "c"};

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

static void ask(struct leftovers *f, const char *method, const char *path, const char *body)
{
    json_decref(index_ask(f->counting.scene->settings, method, path, body));
}

const char *leftovers_prefix(const struct leftovers *f)
{
    return f->counting.scene->settings->opensearch.prefix;
}

/* Legacy ones, with the very patterns that crier has its own for. */
static void put_templates(struct leftovers *f)
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
                   leftovers_prefix(f), templates[i].name, leftovers_prefix(f), templates[i].name);
        while (text_word(&at, &word, &length)) {
            int name = (int)((const char *)memchr(word, ':', length) - word);

            buf_printf(&body, ",\"%.*s\":{\"type\":\"%.*s\"}", name, word, (int)length - name - 1, word + name + 1);
        }
        buf_add_text(&body, "}}}");
        snprintf(path, sizeof path, "/_template/%s%s", leftovers_prefix(f), templates[i].name);
        ask(f, "PUT", path, body.data);
        buf_release(&body);
    }
}

void leftovers_put(struct leftovers *f, const char *index, const char *id, const char *document)
{
    struct buf lines = BUF_INIT;

    buf_printf(&lines, "{\"index\":{\"_index\":\"%s%s\"%s%s%s}}\n%s\n", leftovers_prefix(f), index,
               id ? ",\"_id\":\"" : "", id ? id : "", id ? "\"" : "", document);
    index_bulk(f->counting.scene->settings, lines.data);
    buf_release(&lines);
}

const char *leftovers_time(struct leftovers *f, int64_t time_us, const char *format)
{
    char text[40];

    time_format(time_us, format, text, sizeof text);
    return arena_text(f->arena, text);
}

const char *leftovers_index(struct leftovers *f, const char *name, int64_t time_us)
{
    return arena_printf(f->arena, "%s-%s", name, leftovers_time(f, time_us, "%Y-%m"));
}

const char *leftovers_id(struct leftovers *f, const char *record, int64_t time_us)
{
    return arena_printf(f->arena, "ui_%s-%s", record, leftovers_time(f, time_us, "%Y-%m-%d"));
}

/* A view that invenio-stats indexed at that moment: twice, as it does when a batch was tried again. */
static void put_event(struct leftovers *f, const char *record, int64_t time_us, int64_t indexed_us)
{
    const char *time = leftovers_time(f, time_us, "%Y-%m-%dT%H:%M:%S");
    int number = f->events++;

    for (int twice = 0; twice < 2; twice++)
        leftovers_put(
            f, leftovers_index(f, "events-" VIEWS, time_us), arena_printf(f->arena, "%s-%040d", time, number),
            arena_printf(f->arena,
                         "{\"timestamp\":\"%s\",\"recid\":\"%s\",\"parent_recid\":\"p-%s\",\"unique_id\":\"ui_%s\","
                         "\"visitor_id\":\"v%d\",\"unique_session_id\":\"s%d\",\"is_robot\":false,\"is_machine\":false,"
                         "\"via_api\":false,\"country\":null,\"referrer\":null,\"updated_timestamp\":\"%s\"}",
                         time, record, record, record, number, number,
                         leftovers_time(f, indexed_us, "%Y-%m-%dT%H:%M:%S.000001+00:00")));
}

void leftovers_put_aggregate(struct leftovers *f, const char *record, int64_t time_us, int count)
{
    leftovers_put(
        f, leftovers_index(f, VIEWS, time_us), leftovers_id(f, record, time_us),
        arena_printf(f->arena,
                     "{\"timestamp\":\"%s\",\"unique_id\":\"ui_%s\",\"recid\":\"%s\",\"parent_recid\":\"p-%s\","
                     "\"via_api\":false,\"count\":%d,\"unique_count\":%d,\"updated_timestamp\":\"%s\"}",
                     leftovers_time(f, time_us, "%Y-%m-%dT00:00:00"), record, record, record, count, count,
                     leftovers_time(f, time_us, "%Y-%m-%dT%H:%M:%S.000001")));
}

void leftovers_put_record(struct leftovers *f, const char *record, int revision)
{
    struct buf lines = BUF_INIT;

    buf_printf(&lines,
               "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"uuid-%s\",\"version\":%d,\"version_type\":"
               "\"external_gte\"}}\n{\"id\":\"%s\",\"parent\":{\"id\":\"p-%s\"}}\n",
               leftovers_prefix(f), record, revision, record, record);
    index_bulk(f->counting.scene->settings, lines.data);
    buf_release(&lines);
}

static void put_records(struct leftovers *f)
{
    ask(f, "PUT", arena_printf(f->arena, "/%srecords", leftovers_prefix(f)),
        "{\"mappings\":{\"properties\":{\"id\":{\"type\":\"keyword\"},\"parent\":{\"properties\":{\"id\":{\"type\":"
        "\"keyword\"}}}}}}");
    for (size_t i = 0; i < ARRAY_LENGTH(leftover_records); i++)
        leftovers_put_record(f, leftover_records[i], 7);
}

static int64_t bookmark_us(const struct leftovers *f)
{
    return f->now_us - 10 * MINUTE_US;
}

static void put_bookmarks(struct leftovers *f)
{
    static const char *const aggregations[] = {"record-view-agg", "file-download-agg"};

    ask(f, "PUT", arena_printf(f->arena, "/%sstats-bookmarks", leftovers_prefix(f)),
        "{\"mappings\":{\"dynamic\":\"strict\",\"properties\":{\"date\":{\"type\":\"date\",\"format\":"
        "\"date_optional_time\"},\"aggregation_type\":{\"type\":\"keyword\"}}}}");
    for (size_t i = 0; i < ARRAY_LENGTH(aggregations); i++)
        for (int hour = 3; hour >= 0; hour--)
            leftovers_put(f, "stats-bookmarks", NULL,
                          arena_printf(f->arena, "{\"date\":\"%s\",\"aggregation_type\":\"%s\"}",
                                       leftovers_time(f, bookmark_us(f) - hour * 60 * MINUTE_US,
                                                      "%Y-%m-%dT%H:%M:%S.123456+00:00"),
                                       aggregations[i]));
}

int64_t leftovers_yesterday(const struct leftovers *f)
{
    return f->now_us - DAY_US;
}

int64_t leftovers_last_week(const struct leftovers *f)
{
    return f->now_us - 7 * DAY_US;
}

int64_t leftovers_long_ago(const struct leftovers *f)
{
    return f->now_us - 800 * DAY_US;
}

static void leave_documents(struct leftovers *f)
{
    leftovers_put_aggregate(f, "a", leftovers_long_ago(f), 40);
    for (int i = 0; i < 4; i++)
        put_event(f, "a", leftovers_last_week(f), leftovers_last_week(f) + MINUTE_US);
    leftovers_put_aggregate(f, "a", leftovers_last_week(f), 4);
    for (int i = 0; i < 5; i++)
        put_event(f, "a", leftovers_yesterday(f),
                  i < 3 ? leftovers_yesterday(f) + MINUTE_US : bookmark_us(f) - 30 * MINUTE_US);
    leftovers_put_aggregate(f, "a", leftovers_yesterday(f), 3);
    for (int i = 0; i < 3; i++)
        put_event(f, "b", leftovers_last_week(f), leftovers_last_week(f) + (i < 2 ? MINUTE_US : 3 * DAY_US));
    leftovers_put_aggregate(f, "b", leftovers_last_week(f), 2);
}

/* As kombu 5 serializes what invenio-queues publishes, at one of its priorities. */
void leftovers_publish(struct leftovers *f, const char *queue, const char *record, int64_t time_us)
{
    int number = f->messages++;
    const char *body = arena_printf(
        f->arena,
        "{\"timestamp\": \"%s.%06d\", \"recid\": \"%s\", \"parent_recid\": \"p-%s\", \"referrer\": null, "
        "\"ip_address\": \"192.0.2.7\", \"user_agent\": \"Mozilla/5.0 Firefox/1\", \"user_id\": null, "
        "\"session_id\": \"session-%d\", \"via_api\": false%s}",
        leftovers_time(f, time_us, "%Y-%m-%dT%H:%M:%S"), number, record, record, number,
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

static void fill_queues(struct leftovers *f)
{
    for (int i = 0; i < 2; i++)
        leftovers_publish(f, VIEWS, "a", f->now_us);
    leftovers_publish(f, VIEWS, "b", leftovers_yesterday(f));
    for (int i = 0; i < 3; i++)
        leftovers_publish(f, VIEWS, "c", f->now_us);
    for (int i = 0; i < 4; i++)
        leftovers_publish(f, DOWNLOADS, "a", f->now_us);
}

int leftovers_open(void **state)
{
    struct leftovers *f = calloc(1, sizeof *f);
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

int leftovers_close(void **state)
{
    struct leftovers *f = *state;

    ask(f, "DELETE", arena_printf(f->arena, "/_template/%s*", leftovers_prefix(f)), NULL);
    counting_close(&f->counting);
    redis_free(f->kombu);
    redis_address_release(&f->address);
    server_free(f->broker);
    arena_free(f->arena);
    free(f);
    return 0;
}
