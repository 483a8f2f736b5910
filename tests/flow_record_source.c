/* Light events, whose documents a source has: asked as often as need be, and believed as far as it tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/http.h"
#include "handlers/tombstone.h"
#include "notifier/dead.h"
#include "scheduler/lane.h"
#include "support/fault_proxy.h"
#include "support/postgres_server.h"
#include "support/record_server.h"
#include "support/record_stage.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

static struct record_server *platform;

static int setup_http(void **state)
{
    struct buf ini = BUF_INIT;

    platform = record_server_start(NULL);
    buf_printf(&ini,
               HANDLER("source = platform\n") "[source platform]\ntype = http\nurl = %s/api/records/{id}\n"
                                              "document = metadata\n",
               record_server_url(platform));
    record_stage_open(state, ini.data);
    buf_release(&ini);
    return 0;
}

static int teardown_http(void **state)
{
    record_server_free(platform);
    return record_stage_close(state);
}

static void many_light_events_of_one_subject_ask_the_source_once(void **state)
{
    struct scene *s = *state;
    struct event events[90];

    record_server_put(platform, "a", 50, "{\"n\": 50}");
    record_server_put(platform, "b", 51, "{\"n\": 51}");
    for (int i = 0; i < 90; i++)
        events[i] = record_event(s, "updated", i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c", 1 + i % 40, NULL);
    scene_append(s, events, 90);
    work_off(s, "documents");
    record_documents_are(s, "a {\"n\":50}\nb {\"n\":51}\n");
    assert_int_equal(record_server_requests(platform), 3);
    record_dead_letters(s, 0);
}

static void what_the_source_does_not_have_is_deleted_at_the_events_revision(void **state)
{
    struct scene *s = *state;

    record_server_put(platform, "a", 5, "{\"n\": 5}");
    record_handle(s, "updated", "a", 5, NULL);
    record_server_put(platform, "a", 6, "");
    record_handle(s, "updated", "a", 6, NULL);
    record_documents_are(s, "");
    assert_int_equal(record_tombstone(s, "a"), 6);
    record_server_put(platform, "a", 7, "{\"n\": 7}");
    record_handle(s, "updated", "a", 7, NULL);
    record_documents_are(s, "a {\"n\":7}\n");
    record_server_put(platform, "a", 8, "");
    record_handle(s, "updated", "a", REVISION_NONE, NULL); /* at the version that is there */
    record_documents_are(s, "");
    assert_int_equal(record_tombstone(s, "a"), 7);
    record_handle(s, "updated", "never", REVISION_NONE, NULL);
    record_dead_letters(s, 0);
}

/* A replica that is behind has nothing; an event that says the deletion has the last word. */
static void what_only_the_source_did_not_have_comes_back_when_it_has_it_at_that_revision(void **state)
{
    struct scene *s = *state;

    record_server_put(platform, "a", 5, "");
    record_handle(s, "published", "a", 5, NULL);
    assert_int_equal(record_tombstone(s, "a"), 5);
    record_server_put(platform, "a", 5, "{\"n\": 5}");
    record_handle(s, "published", "a", 5, NULL);
    record_documents_are(s, "a {\"n\":5}\n");
    assert_int_equal(record_tombstone(s, "a"), TOMBSTONE_NONE);
    record_server_put(platform, "a", 5, "");
    record_handle(s, "published", "a", 5, NULL);
    record_handle(s, "deleted", "a", 5, NULL);
    record_handle(s, "published", "a", 5, NULL);
    record_server_put(platform, "a", 5, "{\"n\": 5}");
    record_handle(s, "published", "a", 5, NULL);
    record_documents_are(s, "");
    assert_int_equal(record_tombstone(s, "a"), 5);
    record_dead_letters(s, 0);
}

/* A pass that can do nothing, and loses nothing. */
static void assert_waits(struct scene *s, struct lane *lane)
{
    struct error err;
    size_t taken;

    if (lane_pass(lane, 0, &taken, &err))
        assert_true(lane_tally(lane).held == 1);
    record_documents_are(s, "");
    record_dead_letters(s, 0);
}

/* Passes until a document is there. */
static void assert_comes(struct scene *s, struct lane *lane, const char *expected)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;
    struct error err;
    char *documents;
    size_t taken;

    for (;;) {
        bool same;

        if (!lane_pass(lane, 50, &taken, &err))
            assert_int_equal(err.kind, ERROR_AGAIN);
        documents = record_dump(s);
        same = strcmp(documents, expected) == 0;
        free(documents);
        if (same)
            return;
        assert_true(clock_monotonic_ms() < until_ms);
    }
}

static void a_source_that_is_behind_the_event_is_asked_again(void **state)
{
    struct scene *s = *state;
    struct lane *lane = work_open(s, "documents");
    struct event created = record_event(s, "created", "a", 1, NULL), updated = record_event(s, "updated", "a", 2, NULL);

    scene_append(s, &created, 1);
    assert_waits(s, lane);
    record_server_put(platform, "a", 1, "{\"n\": 1}");
    assert_comes(s, lane, "a {\"n\":1}\n");
    scene_append(s, &updated, 1);
    assert_comes(s, lane, "a {\"n\":1}\n");
    record_server_put(platform, "a", 2, "{\"n\": 2}");
    assert_comes(s, lane, "a {\"n\":2}\n");
    record_dead_letters(s, 0);
    lane_leave(lane);
    lane_free(lane);
}

static void a_source_that_is_down_or_busy_loses_nothing(void **state)
{
    struct scene *s = *state;
    struct lane *lane = work_open(s, "documents");
    struct event e = record_event(s, "updated", "a", 1, NULL);

    record_server_put(platform, "a", 1, "{\"n\": 1}");
    record_server_stop(platform);
    scene_append(s, &e, 1);
    assert_waits(s, lane);
    record_server_resume(platform);
    record_server_refuse(platform, 1, 429, 1);
    assert_comes(s, lane, "a {\"n\":1}\n");
    record_dead_letters(s, 0);
    lane_leave(lane);
    lane_free(lane);
}

static void a_gateway_without_its_platform_has_nothing_deleted(void **state)
{
    struct scene *s = *state;
    struct lane *lane = work_open(s, "documents");
    struct event events[] = {record_event(s, "updated", "a", 1, NULL), record_event(s, "updated", "b", 1, NULL)};

    record_server_put_text(platform, "?404", "default backend - 404");
    record_server_put(platform, "b", 1, "{\"n\": 1}");
    scene_append(s, events, 2);
    assert_comes(s, lane, "b {\"n\":1}\n");
    assert_int_equal(record_tombstone(s, "a"), TOMBSTONE_NONE);
    record_server_put_text(platform, "?404", "");
    record_server_put(platform, "a", 1, "{\"n\": 1}");
    assert_comes(s, lane, "a {\"n\":1}\nb {\"n\":1}\n");
    record_dead_letters(s, 0);
    lane_leave(lane);
    lane_free(lane);
}

static void what_is_wrong_with_one_document_concerns_its_event_alone(void **state)
{
    struct scene *s = *state;
    struct event events[3];

    record_server_put(platform, "a", 1, "[1]");
    record_server_put(platform, "b", 1, "{\"n\": 1}");
    for (int i = 0; i < 3; i++)
        events[i] = record_event(s, "updated", i == 0 ? "a" : "b", 1, NULL);
    scene_append(s, events, 3);
    work_off(s, "documents");
    assert_non_null(strstr(record_dead_letters(s, 1)->reply, "no JSON object"));
    record_documents_are(s, "b {\"n\":1}\n");
}

static void assert_checked(const char *ini, int code, const char *wanted)
{
    struct scene *s = scene_open(ini);
    const char *words[] = {"check", "--online", "--config", s->config_path, NULL};
    char *out;

    assert_int_equal(crier_run(&out, words), code);
    if (!strstr(out, wanted))
        fail_msg("\"%s\" is not in what it said: %s", wanted, out);
    free(out);
    scene_close(s);
}

/* An address that leads nowhere would look as if everything was gone. */
static void check_online_finds_a_source_whose_addresses_do_not_fit(void **state)
{
    static const struct {
        const char *url;
        int code;
        const char *said;
    } cases[] = {
        {"/api/records/{id}", 0,  "source platform: ok, 1 documents"                   },
        {"/api/record/{id}",  78, "source platform: it lists a and does not have it"   },
        {"/api/records/{id}", 69, "source platform: it answers 401: are token (token_f"},
    };

    (void)state;
    platform = record_server_start(NULL);
    record_server_put(platform, "a", 1, "{}");
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf ini = BUF_INIT;

        buf_printf(
            &ini, PEERS("SEARCH") "[source platform]\ntype = http\nurl = %s%s\nlist_url = %s/api/after?after={after}\n",
            record_server_url(platform), cases[i].url, record_server_url(platform));
        record_server_refuse(platform, cases[i].code == 69, 401, 0);
        assert_checked(ini.data, cases[i].code, cases[i].said);
        buf_release(&ini);
    }
    record_server_free(platform);
}

static void light_events_are_filled_from_a_database_too(void **state)
{
    struct server *database = postgres_server_start();
    struct postgres *link = postgres_server_link(database);
    struct buf ini = BUF_INIT;
    struct scene *s;

    postgres_do(link, "create table records (id text primary key, version int, document jsonb)");
    postgres_do(link, "insert into records values ('a', 5, '{\"n\": 5}'), ('gone', 6, null)");
    buf_printf(&ini,
               HANDLER("source = table\n") "[source table]\ntype = postgres\nurl = %s\nquery = select * from records\n",
               postgres_server_url(database));
    record_stage_open(state, ini.data);
    s = *state;
    record_handle(s, "updated", "a", 5, NULL);
    record_handle(s, "updated", "gone", 5, NULL);
    record_documents_are(s, "a {\"n\":5}\n");
    assert_int_equal(record_tombstone(s, "gone"), 6);
    postgres_do(link, "delete from records");
    record_handle(s, "updated", "a", 6, NULL);
    record_documents_are(s, "");
    record_stage_close(state);
    postgres_free(link);
    server_free(database);
    buf_release(&ini);
}

static void light_events_are_filled_from_another_index_too(void **state)
{
    struct scene *s;

    record_stage_open(state, HANDLER("source = origin\n") "[source origin]\ntype = index\nindex = origin\n");
    s = *state;
    index_delete(s->settings, "origin");
    json_decref(index_ask(
        s->settings, "PUT",
        arena_printf(s->arena, "/%sorigin/_doc/a?version=9&version_type=external", s->settings->opensearch.prefix),
        "{\"n\": 9}"));
    record_handle(s, "updated", "a", 5, NULL);
    record_handle(s, "updated", "b", 5, NULL);
    record_documents_are(s, "a {\"n\":9}\n");
    index_delete(s->settings, "origin");
    record_stage_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_light_events_of_one_subject_ask_the_source_once, setup_http,
                                        teardown_http),
        cmocka_unit_test_setup_teardown(what_the_source_does_not_have_is_deleted_at_the_events_revision, setup_http,
                                        teardown_http),
        cmocka_unit_test_setup_teardown(what_only_the_source_did_not_have_comes_back_when_it_has_it_at_that_revision,
                                        setup_http, teardown_http),
        cmocka_unit_test_setup_teardown(a_source_that_is_behind_the_event_is_asked_again, setup_http, teardown_http),
        cmocka_unit_test_setup_teardown(a_source_that_is_down_or_busy_loses_nothing, setup_http, teardown_http),
        cmocka_unit_test_setup_teardown(a_gateway_without_its_platform_has_nothing_deleted, setup_http, teardown_http),
        cmocka_unit_test_setup_teardown(what_is_wrong_with_one_document_concerns_its_event_alone, setup_http,
                                        teardown_http),
        cmocka_unit_test(check_online_finds_a_source_whose_addresses_do_not_fit),
        cmocka_unit_test(light_events_are_filled_from_a_database_too),
        cmocka_unit_test(light_events_are_filled_from_another_index_too),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
