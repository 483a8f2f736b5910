/* Documents that are missing, behind or too many, found by comparing the index with the source, and put right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http.h"
#include "support/past.h"
#include "support/postgres_server.h"
#include "support/scene.h"
#include "support/search_index.h"
#include "support/work.h"

enum { RECORDS = 40 };

static struct server *database; /* one for all tests */
static struct postgres *platform;

static void open_scene(void **state, const char *more)
{
    struct buf ini = BUF_INIT;

    buf_printf(&ini,
               "[redis]\nurl = REDIS\n[opensearch]\nurl = SEARCH\nprefix = PREFIX\n"
               "[queue changes]\nevents = record.*\n"
               "[source database]\ntype = postgres\nurl = %s\n"
               "query = select id, version, json as document from records\n"
               "[handler records]\ntype = record\nqueue = changes\nindex = records\nsource = database\n"
               "[handler care]\ntype = reconcile\nqueue = changes\nschedule = every 1h\nof = records\n"
               "gone_most = 3\n%s",
               postgres_server_url(database), more);
    *state = scene_open(ini.data);
    buf_release(&ini);
    postgres_do(platform, "truncate records");
    postgres_do(platform, "insert into records select 'r' || n, 10 + n, jsonb_build_object('title', 'Record ' || n) "
                          "from generate_series(0, 39) n");
    index_delete(((struct scene *)*state)->settings, "records");
}

static int setup(void **state)
{
    open_scene(state, "walk = source\npage = 15\n");
    return 0;
}

static int setup_one_page(void **state)
{
    open_scene(state, "walk = source\n");
    return 0;
}

static int setup_index(void **state)
{
    open_scene(state, "walk = index\npage = 15\n");
    return 0;
}

static int open_database(void **state)
{
    (void)state;
    database = postgres_server_start();
    platform = postgres_server_link(database);
    postgres_do(platform, "create table records (id text unique, version bigint, json jsonb)");
    return 0;
}

static int close_database(void **state)
{
    (void)state;
    postgres_free(platform);
    server_free(database);
    return 0;
}

/* As the source has it, or at another version. */
static void write_record(struct scene *s, int number, int version, const char *title)
{
    char lines[400];

    snprintf(lines, sizeof lines,
             "{\"index\":{\"_index\":\"%srecords\",\"_id\":\"r%d\",\"version\":%d,\"version_type\":\"external_gte\"}}\n"
             "{\"title\":\"%s\"}\n",
             s->settings->opensearch.prefix, number, version, title);
    index_bulk(s->settings, lines);
}

/* All of them, but for one that is missing and one that is of an old version (-1: none). */
static void write_all(struct scene *s, int missing, int old)
{
    for (int number = 0; number < RECORDS; number++) {
        char title[40];

        snprintf(title, sizeof title, "Record %d", number);
        if (number == old)
            write_record(s, number, 3, "old");
        else if (number != missing)
            write_record(s, number, 10 + number, title);
    }
}

static void run(struct scene *s, const char *wanted)
{
    char path[100];

    snprintf(path, sizeof path, "/%srecords/_refresh", s->settings->opensearch.prefix);
    json_decref(index_ask(s->settings, "POST", path, ""));
    assert_int_equal(past_crier(s, wanted, (const char *const[]){"run", "care", NULL}), 0);
}

static void what_is_missing_or_behind_is_written_from_the_source_and_nothing_else(void **state)
{
    struct scene *s = *state;
    char *right, *now;
    int64_t writes;

    write_all(s, -1, -1);
    right = past_dump(s, "records", false);
    index_delete(s->settings, "records");
    write_all(s, 0, 20);
    writes = index_writes(s->settings, "records");
    run(s, "2 subjects behind, 2 documents repaired");
    now = past_dump(s, "records", false);
    assert_string_equal(now, right);
    assert_int_equal(index_writes(s->settings, "records") - writes, 2);
    run(s, "0 subjects behind");
    free(now);
    free(right);
}

static void a_document_newer_than_the_source_stays(void **state)
{
    struct scene *s = *state;
    char *before, *now;

    write_all(s, -1, -1);
    write_record(s, 5, 1000, "newer");
    before = past_dump(s, "records", false);
    run(s, "0 subjects behind");
    now = past_dump(s, "records", false);
    assert_string_equal(now, before);
    free(before);
    free(now);
}

static void a_document_that_the_source_has_no_more_goes(void **state)
{
    struct scene *s = *state;
    char *now;

    write_all(s, -1, 20);
    postgres_do(platform, "delete from records where id in ('r3', 'r4')");
    run(s, "3 subjects behind, 3 documents repaired, 2 subjects gone");
    now = past_dump(s, "records", false);
    assert_null(strstr(now, "r3 "));
    assert_null(strstr(now, "r4 "));
    assert_non_null(strstr(now, "r20 30 {\"title\":\"Record 20\"}"));
    assert_int_equal(index_count(s->settings, "records"), RECORDS - 2);
    free(now);
    run(s, "0 subjects behind");
}

static void a_source_that_has_lost_most_of_its_rows_is_not_believed(void **state)
{
    struct scene *s = *state;

    write_all(s, -1, -1);
    postgres_do(platform, "truncate records");
    run(s, "not believed");
    assert_int_equal(index_count(s->settings, "records"), RECORDS);
}

/* As an outer join gives it. */
static void a_row_without_an_id_stops_no_other(void **state)
{
    struct scene *s = *state;

    write_all(s, 0, 20);
    postgres_do(platform, "insert into records values (null, 1, '{}')");
    run(s, "2 subjects behind, 2 documents repaired, 1 subjects could not be had or repaired");
    assert_int_equal(index_count(s->settings, "records"), RECORDS);
}

static void happen(struct scene *s, const char *type, const char *subject, int revision)
{
    struct event e = scene_event(s, type, type, subject, revision, NULL);

    scene_append(s, &e, 1);
    work_off(s, "records");
}

/* A database that was behind is undone, a deletion that an event told is not, nor counted as repaired. */
static void what_the_source_has_again_comes_back_unless_an_event_said_that_it_went(void **state)
{
    struct scene *s = *state;

    write_all(s, -1, -1);
    postgres_do(platform, "delete from records where id = 'r3'");
    happen(s, "record.published", "records/r3", 13);
    happen(s, "record.deleted", "records/r4", 14);
    assert_int_equal(index_count(s->settings, "records"), RECORDS - 2);
    postgres_do(platform, "insert into records values ('r3', 13, '{}')");
    run(s, "2 subjects behind, 1 documents repaired, 1 subjects could not be had or repaired");
    assert_int_equal(index_count(s->settings, "records"), RECORDS - 1);
    run(s, "1 subjects behind, 0 documents repaired, 1 subjects could not be had or repaired");
}

#define STAGED(test, open) cmocka_unit_test_setup_teardown(test, open, index_scene_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(what_is_missing_or_behind_is_written_from_the_source_and_nothing_else, setup),
        STAGED(a_row_without_an_id_stops_no_other, setup_one_page),
        STAGED(what_the_source_has_again_comes_back_unless_an_event_said_that_it_went, setup),
        STAGED(a_document_newer_than_the_source_stays, setup),
        STAGED(a_document_newer_than_the_source_stays, setup_index),
        STAGED(a_document_that_the_source_has_no_more_goes, setup_index),
        STAGED(a_source_that_has_lost_most_of_its_rows_is_not_believed, setup_index),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, open_database, close_database);
}
