/* Views and downloads from the door to the numbers in the record's document, by the two profiles as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/json.h"
#include "support/process.h"
#include "support/scene.h"
#include "support/search_index.h"

enum { DEADLINE_MS = 60000 };

static const char ini[] = "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
                          "[http]\nlisten = 127.0.0.1:0\n"
                          "[event record-view]\nprofile = invenio-record-view\n"
                          "[event file-download]\nprofile = invenio-file-download\n"
                          "[handler record-stats]\nindex = records\n";

struct stage {
    struct scene *scene;
    struct server *serve;
    struct http *http;
};

static int setup(void **state)
{
    struct stage *t = calloc(1, sizeof *t);

    assert_non_null(t);
    t->scene = scene_open(ini);
    index_delete(t->scene->settings, "*");
    t->http = http_new(&(struct http_options){.connect_ms = 5000, .timeout_ms = 20000});
    t->serve = crier_serve_start(t->scene->config_path);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct stage *t = *state;

    server_free(t->serve);
    http_free(t->http);
    index_delete(t->scene->settings, "*");
    scene_close(t->scene);
    free(t);
    return 0;
}

/* A document as the platform's indexer writes it. */
static void publish(struct stage *t, const char *record, const char *parent, int revision)
{
    struct buf lines = BUF_INIT;

    buf_printf(&lines,
               "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"uuid-%s\",\"version\":%d,\"version_type\":"
               "\"external_gte\"}}\n{\"id\":\"%s\",\"parent\":{\"id\":\"%s\"},\"metadata\":{\"title\":\"%s\"}}\n",
               t->scene->settings->opensearch.prefix, record, revision, record, parent, record);
    index_bulk(t->scene->settings, lines.data);
    buf_release(&lines);
}

/* The answer to a POST at the door; yours. */
static json_t *post(struct stage *t, const char *path, long expected, const char *body)
{
    struct http_reply reply = HTTP_REPLY_INIT;
    struct error err;
    char url[80];
    json_t *answer;

    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server_port(t->serve), path);
    if (!http_send(
            t->http,
            &(struct http_request){
                .method = "POST", .url = url, .content_type = "application/json", .body = body, .length = strlen(body)},
            &reply, &err))
        fail_msg("%s", err.text);
    if (reply.status != expected)
        fail_msg("%s: %ld: %s", path, reply.status, reply.body.data);
    answer = json_text_parse(reply.body.data, reply.body.length, JSON_DEPTH_DEFAULT, &err);
    buf_release(&reply.body);
    return answer;
}

#define VISITOR(n)                                                                                                     \
    "\"ip_address\":\"192.0.2." n "\",\"user_agent\":\"Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0\","               \
    "\"session_id\":\"s" n "\",\"via_api\":false"

static void view(struct stage *t, const char *record, const char *parent, const char *time, const char *visitor)
{
    struct buf body = BUF_INIT;

    buf_printf(&body,
               "{\"event_type\":\"record-view\",\"payload\":{\"timestamp\":\"%s\",\"recid\":\"%s\","
               "\"parent_recid\":\"%s\",%s}}",
               time, record, parent, visitor);
    json_decref(post(t, "/events", 202, body.data));
    buf_release(&body);
}

static void download(struct stage *t, const char *record, const char *parent, const char *time, const char *visitor)
{
    struct buf body = BUF_INIT;

    buf_printf(
        &body,
        "{\"event_type\":\"file-download\",\"payload\":{\"timestamp\":\"%s\",\"recid\":\"%s\","
        "\"parent_recid\":\"%s\",\"bucket_id\":\"b\",\"file_id\":\"f\",\"file_key\":\"a.pdf\",\"size\":1000,%s}}",
        time, record, parent, visitor);
    json_decref(post(t, "/events", 202, body.data));
    buf_release(&body);
}

static bool has(struct stage *t, const char *record, const char *path, double expected)
{
    char where[200];
    json_t *document;
    bool same;

    snprintf(where, sizeof where, "/%srecords/_doc/uuid-%s", t->scene->settings->opensearch.prefix, record);
    document = index_ask(t->scene->settings, "GET", where, NULL);
    snprintf(where, sizeof where, "_source.stats.%s", path);
    same = json_is_number(json_at(document, where)) && json_number_value(json_at(document, where)) == expected;
    json_decref(document);
    return same;
}

static void comes_to(struct stage *t, const char *record, const char *path, double expected)
{
    int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;

    while (!has(t, record, path, expected)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s: %s does not come to %g", record, path, expected);
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    }
}

static void a_click_is_on_the_record_and_in_the_answers_within_a_minute(void **state)
{
    struct stage *t = *state;
    json_t *answer;

    publish(t, "r1", "p", 4);
    publish(t, "r2", "p", 1);
    view(t, "r1", "p", "2026-11-01T10:00:00", VISITOR("1"));
    view(t, "r1", "p", "2026-11-01T10:00:30", VISITOR("1"));
    view(t, "r2", "p", "2026-11-02T10:00:00", VISITOR("2"));
    download(t, "r2", "p", "2026-11-02T10:00:40", VISITOR("2"));
    comes_to(t, "r1", "all_versions.downloads", 1);
    comes_to(t, "r1", "all_versions.views", 3);
    comes_to(t, "r1", "all_versions.unique_views", 2);
    comes_to(t, "r1", "all_versions.data_volume", 1000);
    comes_to(t, "r1", "this_version.views", 2);
    comes_to(t, "r1", "this_version.unique_views", 1);
    comes_to(t, "r1", "this_version.downloads", 0);
    comes_to(t, "r2", "this_version.unique_downloads", 1);
    publish(t, "r1", "p", 5); /* the platform's next revision is newer than what we wrote */
    answer = post(t, "/stats", 200,
                  "{\"v\":{\"stat\":\"record-view-all-versions\",\"params\":{\"parent_recid\":\"p\"}},"
                  "\"d\":{\"stat\":\"record-download\",\"params\":{\"recid\":\"r2\"}}}");
    assert_true(json_number_value(json_at(answer, "v.views")) == 3);
    assert_true(json_number_value(json_at(answer, "v.unique_views")) == 2);
    assert_true(json_number_value(json_at(answer, "d.data_volume")) == 1000);
    assert_string_equal(json_member_text(json_at(answer, "d"), "parent_recid", ""), "p");
    json_decref(answer);
}

/* The revision the platform wrote has no numbers of ours; the next click brings them back. */
static void what_a_new_revision_overwrote_comes_back_with_the_next_click(void **state)
{
    struct stage *t = *state;

    publish(t, "r1", "p", 4);
    view(t, "r1", "p", "2026-11-01T10:00:00", VISITOR("1"));
    comes_to(t, "r1", "this_version.views", 1);
    publish(t, "r1", "p", 5);
    view(t, "r1", "p", "2026-10-31T10:00:00", VISITOR("2")); /* late, of another day and month */
    comes_to(t, "r1", "this_version.views", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_click_is_on_the_record_and_in_the_answers_within_a_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_new_revision_overwrote_comes_back_with_the_next_click, setup, teardown),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
