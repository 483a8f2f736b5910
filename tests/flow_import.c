/* Access logs become events, each line once: again, renamed, gzipped, grown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/log_stage.h"
#include "support/scene.h"

static void a_log_becomes_events_with_the_time_of_their_lines_and_without_who_it_was(void **state)
{
    struct log_stage *f = *state;
    const struct reply *entry;

    log_stage_write_lines(f, "access.log", 0, 300);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), NULL, NULL), 0);
    log_stage_count_is(f, "lines", 300);
    log_stage_count_is(f, "events", 100);
    log_stage_count_is(f, "accepted", 100);
    assert_int_equal(log_stage_length(f), 100);
    entry = &scene_redis(f->scene, "XRANGE crier:{views}:stream - + COUNT 2")->items[1].items[1];
    assert_string_equal(reply_field_text(entry, "type"), "record-view");
    assert_string_equal(reply_field_text(entry, "source"), "access-log");
    assert_string_equal(reply_field_text(entry, "time"), "2023-11-14T22:13:23Z");
    assert_non_null(strstr(reply_field_text(entry, "data"), "\"recid\":\"3\""));
    assert_non_null(strstr(reply_field_text(entry, "data"), "\"visitor_id\":"));
    assert_null(strstr(reply_field_text(entry, "data"), "192.0.2"));
    assert_null(strstr(reply_field_text(entry, "data"), "Mozilla"));
}

static void a_second_run_adds_nothing_whatever_became_of_the_salts(void **state)
{
    struct log_stage *f = *state;
    const struct reply *salts;

    log_stage_write_lines(f, "access.log", 0, 3000);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), NULL, NULL), 0);
    salts = scene_redis(f->scene, "KEYS *salt*");
    assert_true(salts->count > 0);
    for (size_t i = 0; i < salts->count; i++)
        scene_redis(f->scene, "DEL %s", salts->items[i].text);
    salts = scene_redis(f->scene, "KEYS *:seen:*");
    for (size_t i = 0; i < salts->count; i++)
        scene_redis(f->scene, "DEL %s", salts->items[i].text);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), NULL, NULL), 0);
    log_stage_count_is(f, "lines", 0);
    log_stage_count_is(f, "events", 0);
    assert_int_equal(log_stage_length(f), 1000);
}

static void a_log_that_was_renamed_gzipped_or_has_grown_is_the_same_log(void **state)
{
    struct log_stage *f = *state;

    log_stage_write_lines(f, "access.log", 0, 900);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), NULL, NULL), 0);
    rename(log_stage_path(f, "access.log"), log_stage_path(f, "access.log.1"));
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log.1"), NULL, NULL), 0);
    log_stage_count_is(f, "lines", 0);
    log_stage_write_gzip(f, "access.log.2.gz", 0, 900);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log.2.gz"), NULL, NULL), 0);
    log_stage_count_is(f, "lines", 0);
    log_stage_write_gzip(f, "access.log.3.gz", 0, 1200);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log.3.gz"), NULL, NULL), 0);
    log_stage_count_is(f, "lines", 300);
    assert_int_equal(log_stage_length(f), 400);
}

static void rotated_logs_are_taken_from_the_oldest_on(void **state)
{
    struct log_stage *f = *state;
    const struct reply *all;

    log_stage_write_lines(f, "access.log", 600, 900);
    log_stage_write_gzip(f, "access.log.2.gz", 0, 300);
    log_stage_write_lines(f, "access.log.1", 300, 600);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), log_stage_path(f, "access.log.1"),
                                      log_stage_path(f, "access.log.2.gz")),
                     0);
    log_stage_count_is(f, "files", 3);
    all = scene_redis(f->scene, "XRANGE crier:{views}:stream - +");
    assert_int_equal(all->count, 300);
    for (size_t i = 1; i < all->count; i++)
        assert_true(strcmp(reply_field_text(&all->items[i - 1].items[1], "time"),
                           reply_field_text(&all->items[i].items[1], "time")) < 0);
}

static void another_log_that_begins_in_the_same_second_is_imported_too(void **state)
{
    struct log_stage *f = *state;
    struct buf text = BUF_INIT;

    log_stage_write_lines(f, "a.log", 0, 300);
    log_stage_add_lines(&text, 0, 1);
    text.length -= strlen("0)\"\n");
    buf_add_text(&text, "other)\"\n");
    log_stage_add_lines(&text, 1, 600);
    log_stage_write(log_stage_path(f, "b.log"), text.data, text.length);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "a.log"), NULL, NULL), 0);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "b.log"), NULL, NULL), 0);
    log_stage_count_is(f, "lines", 600);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "a.log"), log_stage_path(f, "b.log"), NULL), 0);
    log_stage_count_is(f, "lines", 0);
    buf_release(&text);
}

static void a_last_line_without_its_end_is_taken_when_it_has_one(void **state)
{
    struct log_stage *f = *state;
    struct buf text = BUF_INIT;

    log_stage_add_lines(&text, 0, 301);
    log_stage_write(log_stage_path(f, "access.log"), text.data, text.length - 20);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), NULL, NULL), 0);
    log_stage_count_is(f, "lines", 300);
    log_stage_count_is(f, "unfinished_files", 1);
    log_stage_write(log_stage_path(f, "access.log"), text.data, text.length);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), NULL, NULL), 0);
    log_stage_count_is(f, "lines", 1);
    assert_int_equal(log_stage_length(f), 101);
    buf_release(&text);
}

static void unreadable_lines_are_counted_and_named_by_number_alone(void **state)
{
    struct log_stage *f = *state;
    struct buf text = BUF_INIT;

    log_stage_add_lines(&text, 0, 30);
    buf_add_text(&text, "secret words\n");
    log_stage_add_lines(&text, 30, 60);
    log_stage_write(log_stage_path(f, "access.log"), text.data, text.length);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), NULL, NULL), 3);
    log_stage_count_is(f, "lines", 61);
    log_stage_count_is(f, "unreadable", 1);
    log_stage_count_is(f, "accepted", 20);
    assert_non_null(strstr(f->out, "access.log:31: "));
    assert_null(strstr(f->out, "secret"));
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), NULL, NULL), 0);
    buf_release(&text);
}

static void a_dry_run_counts_and_leaves_nothing_behind(void **state)
{
    struct log_stage *f = *state;
    const char *words[] = {"import", "--config", f->scene->config_path, "--json", "--dry-run", "access-log",
                           NULL,     NULL};

    log_stage_write_lines(f, "access.log", 0, 3000);
    words[6] = log_stage_path(f, "access.log");
    free(f->out);
    assert_int_equal(crier_run(&f->out, words), 0);
    assert_non_null(strstr(f->out, "\"accepted\":1000,"));
    assert_int_equal(scene_redis(f->scene, "DBSIZE")->integer, 0);
}

static void what_is_left_out_as_the_section_of_the_event_says_is_counted(void **state)
{
    static const char lines[] =
        "192.0.2.1 - - [20/Nov/2023:00:00:00 +0000] \"GET /records/1 HTTP/1.1\" 200 1 \"-\" \"Googlebot/2.1\"\n"
        "192.0.2.1 - - [20/Nov/2023:00:00:01 +0000] \"GET /records/1 HTTP/1.1\" 200 1 \"-\" \"-\"\n"
        "192.0.2.1 - - [20/Nov/2023:00:00:02 +0000] \"GET /records/1 HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0 (X11; "
        "Linux)\"\n"
        "198.51.100.7 - - [20/Nov/2023:00:00:03 +0000] \"GET /records/1 HTTP/1.1\" 200 1 \"-\" \"Mozilla/5.0 (X11; "
        "Linux)\"\n";
    struct log_stage *f = *state;

    log_stage_write(log_stage_path(f, "access.log"), lines, strlen(lines));
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), NULL, NULL), 0);
    log_stage_count_is(f, "robots", 2);
    log_stage_count_is(f, "ignored", 1);
    log_stage_count_is(f, "accepted", 1);
}

static void mistakes_are_told_before_anything_is_done(void **state)
{
    struct log_stage *f = *state;

    log_stage_write_lines(f, "access.log", 0, 3);
    assert_int_equal(log_stage_import(f, NULL, NULL, NULL), 2);
    assert_int_equal(log_stage_import(f, "-", "-", NULL), 2);
    assert_int_equal(log_stage_import(f, "--what", NULL, NULL), 2);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), log_stage_path(f, "missing.log"), NULL), 1);
    assert_non_null(strstr(f->out, "missing.log"));
    assert_int_equal(scene_redis(f->scene, "DBSIZE")->integer, 0);
    server_stop(f->scene->redis_server);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log"), NULL, NULL), 69);
    server_restart(f->scene->redis_server);
    redis_drop(f->scene->redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_log_becomes_events_with_the_time_of_their_lines_and_without_who_it_was,
                                        log_stage_open, log_stage_close),
        cmocka_unit_test_setup_teardown(a_second_run_adds_nothing_whatever_became_of_the_salts, log_stage_open,
                                        log_stage_close),
        cmocka_unit_test_setup_teardown(a_log_that_was_renamed_gzipped_or_has_grown_is_the_same_log, log_stage_open,
                                        log_stage_close),
        cmocka_unit_test_setup_teardown(rotated_logs_are_taken_from_the_oldest_on, log_stage_open, log_stage_close),
        cmocka_unit_test_setup_teardown(another_log_that_begins_in_the_same_second_is_imported_too, log_stage_open,
                                        log_stage_close),
        cmocka_unit_test_setup_teardown(a_last_line_without_its_end_is_taken_when_it_has_one, log_stage_open,
                                        log_stage_close),
        cmocka_unit_test_setup_teardown(unreadable_lines_are_counted_and_named_by_number_alone, log_stage_open,
                                        log_stage_close),
        cmocka_unit_test_setup_teardown(a_dry_run_counts_and_leaves_nothing_behind, log_stage_open, log_stage_close),
        cmocka_unit_test_setup_teardown(what_is_left_out_as_the_section_of_the_event_says_is_counted, log_stage_open,
                                        log_stage_close),
        cmocka_unit_test_setup_teardown(mistakes_are_told_before_anything_is_done, log_stage_open, log_stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
