/*
 * The checklist of the reference, lines 1 to 10 without 5: what is taken, which documents are found, what is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "base/json.h"
#include "handlers/relation/relation.h"
#include "support/change_stage.h"
#include "support/search_index.h"

enum { PATIENCE_MS = 60000 };

#define TASK "invenio_records_resources.tasks.send_change_notifications"

/* The content of these tests comes with the events. */
#define PAYLOAD(handler) "[handler " handler "]\nsource = payload\nschedule = at once\n"
#define USERS            "[event users.updated]\nprofile = invenio-users\n" PAYLOAD("users-members")

static int teardown(void **state)
{
    change_stage_close(*state);
    return 0;
}

#define SETUP(name, ini)                                                                                               \
    static int name(void **state)                                                                                      \
    {                                                                                                                  \
        *state = change_stage_open(ini);                                                                               \
        return 0;                                                                                                      \
    }

SETUP(setup_users, USERS)

/* ------------------------------------------------------------------------------------------------------------- 1 */

/* Here the content is in the platform's own documents. */
SETUP(setup_doors, "[event users.updated]\nprofile = invenio-users\n[handler users-members]\nschedule = at once\n"
                   "[platform]\nurl = BROKER\npoll = 20ms\nnotifications = changes\n")

static void
line_01_notifications_come_from_a_queue_and_the_command_line_and_malformed_ones_are_dead_letters(void **state)
{
    struct change_stage *st = *state;
    const char *config = st->scene->config_path;
    char *out;

    members_put(st, 2, 2);
    platform_put(st, "users", "0", 5, "{\"id\":0,\"uuid\":\"0\",\"username\":\"ada\"}");
    platform_put(st, "users", "1", 7, "{\"id\":1,\"uuid\":\"1\",\"username\":\"ben\"}");
    change_serve(st);
    broker_push(&st->broker, "changes",
                broker_call(&st->broker, "changes", TASK, "[[\"users\", [[\"0\", \"0\", 5], [\"1\", 1]]], {}, {}]"));
    broker_until_left(&st->broker, "changes", 0);
    assert_non_null(strstr(change_dead_field(st, "users", "reason"), "record 2: "));
    assert_non_null(strstr(change_dead_field(st, "users", "reason"), "it must be [pid, uuid, revision_id]"));
    document_becomes(st, "members", "m0", "_source.user.username", "ada", PATIENCE_MS);
    assert_string_equal(document_at(st, "members", "m0", "_source.user.@v"), "0::5");
    assert_int_equal(crier_run(&out, (const char *const[]){"emit", "--config", config, "--notification", "users",
                                                           "1:1:7", "2:2", NULL}),
                     3);
    assert_non_null(strstr(out, "record 2: "));
    assert_non_null(strstr(out, "accepted 1"));
    free(out);
    document_becomes(st, "members", "m1", "_source.user.username", "ben", PATIENCE_MS);
    assert_string_equal(document_at(st, "members", "m1", "_source.user.@v"), "1::7");
}

/* ------------------------------------------------------------------------------------------------------------- 2 */

SETUP(setup_two, USERS "[handler names]\ntype = denormalize\nqueue = users\nindex = names\nmatch = owner.id\n"
                       "copy = owner.label<-data.username\nrevision = owner.rev\n")

static void line_02_several_handlers_of_a_type_stand_in_the_file_and_an_unknown_type_is_no_error(void **state)
{
    struct change_stage *st = *state;
    char *out;

    members_put(st, 1, 1);
    platform_put(st, "names", "n", 1, "{\"owner\":{\"id\":\"0\",\"label\":\"old\",\"rev\":1}}");
    change_tell(st, "users.updated", "0", "0", 2, "{\"username\":\"ada\"}");
    change_work(st, "users-members");
    change_work(st, "names");
    assert_string_equal(document_at(st, "members", "m0", "_source.user.username"), "ada");
    assert_string_equal(document_at(st, "names", "n", "_source.owner"), "{\"id\":\"0\",\"label\":\"ada\",\"rev\":2}");
    assert_int_equal(crier_run(&out, (const char *const[]){"emit", "--json", "--config", st->scene->config_path,
                                                           "--notification", "languages", "eng:u:7", NULL}),
                     0);
    assert_non_null(strstr(out, "\"not_wanted\":1"));
    free(out);
}

/* ------------------------------------------------------------------------------------------------------------- 3 */

SETUP(setup_one_fails,
      USERS "[handler names]\ntype = denormalize\nqueue = users\nschedule = at once\nindex = names\nmatch = owner.id\n"
            "copy = owner.label<-data.username\nrevision = owner.rev\n")

static void line_03_a_handler_that_fails_stops_no_other_and_it_alone_tries_again(void **state)
{
    struct change_stage *st = *state;
    int64_t writes;

    members_put(st, 1, 1);
    platform_put(st, "names", "n", 1, "{\"owner\":{\"id\":\"0\",\"label\":\"old\",\"rev\":1}}");
    fault_proxy_set(st->proxy, &(struct fault){.path_with = "names", .status = 503});
    change_serve(st);
    change_tell(st, "users.updated", "0", "0", 2, "{\"username\":\"ada\"}");
    document_becomes(st, "members", "m0", "_source.user.username", "ada", PATIENCE_MS);
    assert_string_equal(document_at(st, "names", "n", "_source.owner.label"), "old");
    change_until_open(st, "users", "names", 1); /* a handler that begins late has no group yet */
    change_until_open(st, "users", "users-members", 0);
    writes = index_writes(&st->platform, "members");
    fault_proxy_set(st->proxy, NULL);
    document_becomes(st, "names", "n", "_source.owner.label", "ada", PATIENCE_MS);
    assert_int_equal(index_writes(&st->platform, "members"), writes);
    assert_int_equal(change_dead(st, "users"), 0);
}

/* ------------------------------------------------------------------------------------------------------------- 4 */

/* The platform's own query, as the reference's §1.4 has it. */
#define THEIRS(id, revision, time)                                                                                     \
    "{\"query\":{\"bool\":{\"should\":[{\"bool\":{\"must\":[{\"term\":{\"user.id\":\"" id "\"}}],\"must_not\":[{"      \
    "\"term\":{\"user.@v\":\"" revision "\"}}]}}],\"minimum_should_match\":1,\"filter\":[" time "]}}}"

#define BEFORE "{\"range\":{\"indexed_at\":{\"lte\":\"2026-11-20T10:00:00.000000\"}}}"

static const int64_t before_us = INT64_C(1795168800000000); /* that time */

/* The ids that a query finds, in order. */
static const char *found(struct change_stage *st, const char *body)
{
    struct arena *arena = st->scene->arena;
    json_t *answer = index_ask(
        &st->platform, "POST",
        arena_printf(arena, "/%smembers/_search?sort=_id&size=100&_source=false", st->platform.opensearch.prefix),
        body);
    const json_t *hits = json_at(answer, "hits.hits");
    const char *ids = "";

    for (size_t i = 0; i < json_array_size(hits); i++)
        ids = arena_printf(arena, "%s %s", ids, json_member_text(json_array_get(hits, i), "_id", ""));
    json_decref(answer);
    return ids;
}

static const char *found_by_ours(struct change_stage *st, char *indexed_at, int64_t time_us)
{
    struct relation_options o = {
        .index = "members",
        .match = "user.id",
        .copy = ".username<-data.username",
        .revision = ".@v",
        .revision_format = REVISION_UUID,
        .indexed_at = indexed_at,
        .deleted = "",
        .only_when = "",
        .tombstone = ".deleted",
        .source = "payload",
        .subjects = "",
        .single = true,
        .clauses = 100,
    };
    struct subject subject = {.id = span_of("1"), .uuid = span_of("1"), .revision = 5};
    const struct subject *subjects[] = {&subject};
    struct error err = ERROR_INIT;
    struct relation *relation = relation_new(&o, &err);
    struct buf body = BUF_INIT;
    json_t *query;
    const char *ids;

    assert_non_null(relation);
    query = relation_query(relation, subjects, 1, true, time_us);
    buf_add_text(&body, "{\"query\":");
    json_add(&body, query);
    buf_add_char(&body, '}');
    ids = found(st, body.data);
    buf_release(&body);
    json_decref(query);
    relation_free(relation);
    return ids;
}

static void line_04_the_query_finds_what_the_platforms_own_finds_with_and_without_indexed_at(void **state)
{
    static const char *const documents[][2] = {
        {"behind", "{\"indexed_at\":\"2026-11-20T09:00:00\",\"user\":{\"id\":\"1\",\"@v\":\"1::4\"}}"       },
        {"same",   "{\"indexed_at\":\"2026-11-20T09:00:00\",\"user\":{\"id\":\"1\",\"@v\":\"1::5\"}}"       },
        {"newer",  "{\"indexed_at\":\"2026-11-20T09:00:00\",\"user\":{\"id\":\"1\",\"@v\":\"1::6\"}}"       },
        {"at",     "{\"indexed_at\":\"2026-11-20T10:00:00.000000\",\"user\":{\"id\":\"1\",\"@v\":\"1::4\"}}"},
        {"later",  "{\"indexed_at\":\"2026-11-20T10:00:00.001000\",\"user\":{\"id\":\"1\",\"@v\":\"1::4\"}}"},
        {"none",   "{\"user\":{\"id\":\"1\",\"@v\":\"1::4\"}}"                                              },
        {"bare",   "{\"indexed_at\":\"2026-11-20T09:00:00\",\"user\":{\"id\":\"1\"}}"                       },
        {"other",  "{\"indexed_at\":\"2026-11-20T09:00:00\",\"user\":{\"id\":\"2\",\"@v\":\"2::4\"}}"       },
    };
    struct change_stage *st = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(documents); i++)
        platform_put(st, "members", documents[i][0], 1, documents[i][1]);
    assert_string_equal(found(st, THEIRS("1", "1::5", BEFORE)), " at bare behind newer");
    assert_string_equal(found_by_ours(st, "indexed_at", before_us), found(st, THEIRS("1", "1::5", BEFORE)));
    assert_string_equal(found_by_ours(st, "", 0), found(st, THEIRS("1", "1::5", "")));
    assert_string_equal(found_by_ours(st, "", before_us), " at bare behind later newer none");
}

/* ------------------------------------------------------------------------------------------------------------- 5 */

#define INDEXED "\"indexed_at\":\"2026-11-20T10:00:00\","

/* ------------------------------------------------------------------------------------------------------------- 6 */

static void line_06_a_copy_at_the_revision_is_not_written_and_a_newer_one_is_not_downgraded(void **state)
{
    struct change_stage *st = *state;
    int64_t writes;

    members_put(st, 1, 1);
    platform_put(st, "members", "same", 3,
                 "{" INDEXED "\"user\":{\"id\":\"0\",\"@v\":\"0::5\",\"username\":\"at five\"}}");
    platform_put(st, "members", "newer", 3,
                 "{" INDEXED "\"user\":{\"id\":\"0\",\"@v\":\"0::6\",\"username\":\"at six\"}}");
    writes = index_writes(&st->platform, "members");
    change_tell(st, "users.updated", "0", "0", 5, "{\"username\":\"ada\"}");
    change_work(st, "users-members");
    assert_int_equal(index_writes(&st->platform, "members") - writes, 1);
    assert_string_equal(document_at(st, "members", "m0", "_source.user.username"), "ada");
    assert_string_equal(document_at(st, "members", "same", "_source.user.username"), "at five");
    assert_string_equal(document_at(st, "members", "newer", "_source.user.@v"), "0::6");
    assert_string_equal(document_at(st, "members", "newer", "_source.user.username"), "at six");
}

/* ------------------------------------------------------------------------------------------------------------- 7 */

static void line_07_ten_thousand_changed_records_in_one_notification_stay_below_the_limit_of_clauses(void **state)
{
    enum { RECORDS = 10000 };
    struct change_stage *st = *state;
    struct buf text = BUF_INIT;

    members_put(st, RECORDS, RECORDS);
    buf_add_text(&text, "[\"users\",[");
    for (int i = 0; i < RECORDS; i++)
        buf_printf(&text, "%s{\"pid\":%d,\"uuid\":%d,\"revision_id\":2,\"data\":{\"username\":\"new\"}}", i ? "," : "",
                   i, i);
    buf_add_text(&text, "]]");
    assert_int_equal(change_notify(st, text.data), RECORDS);
    change_work(st, "users-members");
    assert_int_equal(documents_with(st, "members", "user.username", "new"), RECORDS);
    assert_int_equal(change_dead(st, "users"), 0);
    buf_release(&text);
}

/* ------------------------------------------------------------------------------------------------------------- 9 */

static void line_09_many_notifications_of_a_record_cost_one_scan_and_the_highest_revision_stays(void **state)
{
    enum { NOTIFICATIONS = 50 };
    struct change_stage *st = *state;
    int64_t one, many, writes;

    members_put(st, 20, 2);
    one = index_searches(&st->platform, "members");
    change_tell(st, "users.updated", "1", "1", 2, "{\"username\":\"first\"}");
    change_work(st, "users-members");
    many = index_searches(&st->platform, "members");
    one = many - one;
    writes = index_writes(&st->platform, "members");
    for (int i = 0; i < NOTIFICATIONS; i++) {
        int revision = 3 + (i * 7) % NOTIFICATIONS; /* in no order */

        change_tell(st, "users.updated", "0", "0", revision,
                    arena_printf(st->scene->arena, "{\"username\":\"at %d\"}", revision));
    }
    change_work(st, "users-members");
    many = index_searches(&st->platform, "members") - many;
    assert_true(one > 0);
    assert_int_equal(many, one);
    assert_int_equal(index_writes(&st->platform, "members") - writes, 10);
    assert_string_equal(document_at(st, "members", "m0", "_source.user.username"), "at 52");
    assert_string_equal(document_at(st, "members", "m0", "_source.user.@v"), "0::52");
}

/* ------------------------------------------------------------------------------------------------------------ 10 */

static void line_10_revisions_out_of_order_end_at_the_highest(void **state)
{
    static const int order[] = {4, 9, 2, 7, 12, 11, 3};
    struct change_stage *st = *state;

    members_put(st, 4, 2);
    for (size_t i = 0; i < ARRAY_LENGTH(order); i++) {
        change_tell(st, "users.updated", "1", "1", order[i],
                    arena_printf(st->scene->arena, "{\"username\":\"at %d\"}", order[i]));
        change_work(st, "users-members"); /* each in a pass of its own */
    }
    assert_string_equal(document_at(st, "members", "m1", "_source.user.username"), "at 12");
    assert_string_equal(document_at(st, "members", "m3", "_source.user.@v"), "1::12");
    assert_string_equal(document_at(st, "members", "m0", "_source.user.username"), "old");
}

int main(void)
{
#define LINE(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        LINE(line_01_notifications_come_from_a_queue_and_the_command_line_and_malformed_ones_are_dead_letters,
             setup_doors),
        LINE(line_02_several_handlers_of_a_type_stand_in_the_file_and_an_unknown_type_is_no_error, setup_two),
        LINE(line_03_a_handler_that_fails_stops_no_other_and_it_alone_tries_again, setup_one_fails),
        LINE(line_04_the_query_finds_what_the_platforms_own_finds_with_and_without_indexed_at, setup_users),
        LINE(line_06_a_copy_at_the_revision_is_not_written_and_a_newer_one_is_not_downgraded, setup_users),
        LINE(line_07_ten_thousand_changed_records_in_one_notification_stay_below_the_limit_of_clauses, setup_users),
        LINE(line_09_many_notifications_of_a_record_cost_one_scan_and_the_highest_revision_stays, setup_users),
        LINE(line_10_revisions_out_of_order_end_at_the_highest, setup_users),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
