/* The platform's database as a source: rows by id, and walks by the last id, whatever an id is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "support/postgres_server.h"
#include "support/source_stage.h"

struct fixture {
    struct postgres *link;
    struct source_stage *stage;
};

static struct server *server; /* one for all tests */

static void open_stage(struct fixture *f, const char *more)
{
    struct buf ini = BUF_INIT;

    if (f->stage)
        source_stage_close(f->stage);
    buf_printf(&ini, "[source s]\ntype = postgres\nurl = %s\n%s", postgres_server_url(server), more);
    f->stage = source_stage_open(ini.data);
    buf_release(&ini);
}

#define QUERY "query = select id, version, json as document, updated, site from records -- all of them;\n"

static int setup(void **state)
{
    struct fixture *f = *state = xcalloc(1, sizeof *f);

    if (!server)
        server = postgres_server_start();
    f->link = postgres_server_link(server);
    postgres_do(f->link, "drop table if exists records");
    postgres_do(f->link,
                "create table records (id text primary key, version bigint, json jsonb, updated timestamp, site text)");
    open_stage(f, QUERY);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    source_stage_close(f->stage);
    postgres_free(f->link);
    free(f);
    return 0;
}

static void assert_body(const struct source_document *d, const char *body)
{
    assert_int_equal(d->body.length, strlen(body));
    assert_memory_equal(d->body.text, body, d->body.length);
}

static int lines_in(const char *text)
{
    int lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void rows_come_by_id_in_the_order_they_are_asked_for(void **state)
{
    struct fixture *f = *state;
    struct span ids[] = {span_of("q\"u\\o,{te}"), span_of("none"), span_of("a"), span_of("gone"), span_of("NULL")};
    struct source_document out[5];

    postgres_do(f->link, "insert into records values ('a', 3, '{\"b\": [1, 2.50], \"t\": \"x y\"}'), "
                         "('q\"u\\o,{te}', 4, '{}'), ('gone', 5, null), ('NULL', 6, '{\"n\": 1}')");
    assert_true(source_get(f->stage->source, ids, 5, f->stage->arena, out, &f->stage->err));
    assert_true(out[0].found && out[2].found && out[4].found && !out[1].found && !out[3].found);
    assert_int_equal(out[0].version, 4);
    assert_int_equal(out[1].version, VERSION_NONE);
    assert_int_equal(out[3].version, 5);
    assert_body(&out[2], "{\"b\":[1,2.50],\"t\":\"x y\"}");
}

static void an_id_that_the_column_cannot_hold_is_wrong_alone(void **state)
{
    struct fixture *f = *state;
    struct span ids[] = {span_of("1"), span_of("no number"), span_of("2")};
    struct source_document out[3];

    postgres_do(f->link, "drop table records");
    postgres_do(
        f->link,
        "create table records (id integer primary key, version int, json json, updated timestamptz, site text)");
    postgres_do(f->link, "insert into records values (1, 3, '{ \"n\": 1 }'), (2, 4, '{}')");
    assert_true(source_get(f->stage->source, ids, 3, f->stage->arena, out, &f->stage->err));
    assert_int_equal(out[0].version, 3);
    assert_non_null(strstr(out[1].wrong, "no number"));
    assert_int_equal(out[2].version, 4);
}

static void an_id_in_other_letters_is_not_taken_for_one_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    struct source_document d;

    postgres_do(f->link, "drop table records");
    postgres_do(f->link,
                "create table records (id uuid primary key, version int, json json, updated timestamptz, site text)");
    postgres_do(f->link, "insert into records values ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 3, '{}')");
    d = source_stage_get(f->stage, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11");
    assert_non_null(d.wrong);
    d = source_stage_get(f->stage, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    assert_true(d.found && !d.wrong);
}

static void a_row_that_cannot_be_used_says_why(void **state)
{
    struct fixture *f = *state;

    open_stage(f, "query = select id, site as version, json as document from records\n");
    postgres_do(f->link, "insert into records values ('list', 1, '[1]', null, '1'), ('odd', 1, '{}', null, 'x'), "
                         "('none', 1, '{}', null, null)");
    assert_non_null(strstr(source_stage_get(f->stage, "list").wrong, "no JSON object"));
    assert_non_null(strstr(source_stage_get(f->stage, "odd").wrong, "version"));
    assert_null(source_stage_get(f->stage, "none").wrong);
    assert_int_equal(source_stage_get(f->stage, "none").version, VERSION_NONE);
}

static void every_row_is_walked_once_also_by_other_processes(void **state)
{
    static const char *const types[] = {"text", "bigint", "uuid"};
    static const char *const values[] = {"'k ' || n || E'\\n\"'", "n", "md5(n::text)::uuid"};
    struct fixture *f = *state;
    char sql[300], *walked;
    int64_t count;

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        postgres_do(f->link, "drop table records");
        snprintf(sql, sizeof sql,
                 "create table records (id %s primary key, version int, json json, updated timestamptz, site text)",
                 types[i]);
        postgres_do(f->link, sql);
        snprintf(sql, sizeof sql,
                 "insert into records select %s, n, '{\"n\": 1}', '2026-01-01', 'here' from generate_series(1, 101) n",
                 values[i]);
        postgres_do(f->link, sql);
        open_stage(f, QUERY "routing = site\n");
        for (int anew = 0; anew < 2; anew++) {
            walked = source_stage_walk(f->stage, 0, 10, anew);
            assert_int_equal(lines_in(walked), i == 0 ? 202 : 101); /* an id of the first kind has a line feed */
            free(walked);
        }
        assert_true(source_count(f->stage->source, 0, &count, &f->stage->err));
        assert_int_equal(count, 101);
    }
}

/* As an outer join gives them. */
static void rows_without_an_id_do_not_begin_the_walk_anew(void **state)
{
    struct fixture *f = *state;
    struct source_walk walk = {.most = 10};
    struct source_document *page;
    size_t count = 1, whole = 0, wrong = 0;

    postgres_do(f->link, "alter table records drop constraint records_pkey, alter id drop not null");
    postgres_do(f->link, "insert into records values ('a', 1, '{}'), ('b', 1, '{}'), ('c', 1, '{}'), (null, 1, '{}'), "
                         "(null, 1, '{}')");
    for (int pages = 0; count > 0; pages++) {
        assert_true(pages < 5);
        assert_true(source_page(f->stage->source, &walk, f->stage->arena, &page, &count, &f->stage->err));
        for (size_t i = 0; i < count; i++)
            page[i].wrong ? wrong++ : whole++;
    }
    assert_int_equal(whole, 3);
    assert_int_equal(wrong, 2);
    postgres_do(f->link, "delete from records where id is not null");
    walk = (struct source_walk){.most = 10};
    assert_false(source_page(f->stage->source, &walk, f->stage->arena, &page, &count, &f->stage->err));
    assert_non_null(strstr(f->stage->err.text, "null for an id"));
}

static void statements_of_ones_own_are_taken_as_they_are(void **state)
{
    struct fixture *f = *state;
    int64_t count;
    char *walked;

    open_stage(f, "query = select id, version, json as document from records where id = any($1)\n"
                  "list_query = select id, version, json as document from records where $1::text is null or id > $1\n"
                  "    order by id limit $2\n"
                  "since_query = select id, version, json as document from records\n"
                  "    where ($1::text is null or id > $1) and updated >= $3 order by id limit $2\n"
                  "count_query = select count(*) from records\n");
    postgres_do(f->link, "insert into records select n, n, '{}', timestamp '2026-01-01' + n * interval '1 day' from "
                         "generate_series(10, 39) n");
    walked = source_stage_walk(f->stage, 0, 7, true);
    assert_int_equal(lines_in(walked), 30);
    free(walked);
    walked = source_stage_walk(f->stage, INT64_C(1768867200) * 1000000, 7, true); /* 20 January */
    assert_int_equal(lines_in(walked), 21);
    free(walked);
    assert_true(source_count(f->stage->source, 0, &count, &f->stage->err));
    assert_int_equal(count, 30);
    assert_int_equal(source_stage_get(f->stage, "20").version, 20);
}

static void what_changed_since_needs_a_column_that_tells(void **state)
{
    struct fixture *f = *state;
    struct source_walk walk = {.since_us = 1, .position = SPAN_NONE, .most = 7};
    struct source_document *docs;
    int64_t count;
    char *walked;
    size_t size;

    postgres_do(f->link, "insert into records select n, n, '{}', timestamp '2026-01-01' + n * interval '1 day' from "
                         "generate_series(10, 39) n");
    assert_false(source_page(f->stage->source, &walk, f->stage->arena, &docs, &size, &f->stage->err));
    assert_int_equal(f->stage->err.kind, ERROR_CONFIG);
    open_stage(f, QUERY "changed = updated\n");
    walked = source_stage_walk(f->stage, INT64_C(1768867200) * 1000000, 7, true);
    assert_int_equal(lines_in(walked), 21);
    free(walked);
    assert_true(source_count(f->stage->source, INT64_C(1768867200) * 1000000, &count, &f->stage->err));
    assert_int_equal(count, 21);
}

static void a_walk_seeks_by_the_index_however_long_the_table(void **state)
{
    struct fixture *f = *state;
    char *plan;

    postgres_do(f->link, "insert into records select n, n, '{}' from generate_series(1, 5000) n");
    postgres_do(f->link, "analyze records");
    plan = postgres_text(f->link, "explain (format json) select * from (select id, version, json as document, updated, "
                                  "site from records\n) as crier_source where \"id\" > '3' order by \"id\" limit 10");
    assert_non_null(strstr(plan, "Index Scan"));
    assert_null(strstr(plan, "\"Sort\""));
    free(plan);
}

static void a_query_that_is_wrong_and_a_server_that_is_gone_lose_nothing(void **state)
{
    struct fixture *f = *state;
    struct span id = span_of("a");
    struct source_document d;

    postgres_do(f->link, "insert into records values ('a', 3, '{}')");
    open_stage(f, "query = select id, nothing from records\n");
    assert_false(source_get(f->stage->source, &id, 1, f->stage->arena, &d, &f->stage->err));
    assert_int_equal(f->stage->err.kind, ERROR_AGAIN);
    open_stage(f, "query = select id from records\n");
    assert_false(source_get(f->stage->source, &id, 1, f->stage->arena, &d, &f->stage->err));
    assert_int_equal(f->stage->err.kind, ERROR_AGAIN);
    assert_non_null(strstr(f->stage->err.text, "no column document"));
    open_stage(f, QUERY);
    assert_int_equal(source_stage_get(f->stage, "a").version, 3);
    server_kill(server);
    assert_false(source_get(f->stage->source, &id, 1, f->stage->arena, &d, &f->stage->err));
    assert_int_equal(f->stage->err.kind, ERROR_AGAIN);
    server_restart(server);
    assert_int_equal(source_stage_get(f->stage, "a").version, 3);
}

static int end(void **state)
{
    (void)state;
    server_free(server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_come_by_id_in_the_order_they_are_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(an_id_that_the_column_cannot_hold_is_wrong_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(an_id_in_other_letters_is_not_taken_for_one_that_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_that_cannot_be_used_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(every_row_is_walked_once_also_by_other_processes, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_without_an_id_do_not_begin_the_walk_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(statements_of_ones_own_are_taken_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(what_changed_since_needs_a_column_that_tells, setup, teardown),
        cmocka_unit_test_setup_teardown(a_walk_seeks_by_the_index_however_long_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_that_is_wrong_and_a_server_that_is_gone_lose_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
