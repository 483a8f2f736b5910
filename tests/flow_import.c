/* Access logs become events, each line once: again, renamed, gzipped, grown, cut off in the middle. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "support/process.h"
#include "support/scene.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000 };

static const char ini[] = "[redis]\nurl = REDIS\n[queue views]\nevents = record-view\n"
                          "[event record-view]\nprepare = ignore robots visitor\n"
                          "ignore_networks = 198.51.100.0/24\nunique = data.recid visitor_id time\n"
                          "[handler documents]\ntype = archive\nqueue = views\nfolder = FOLDER/views\n"
                          "[url page]\npattern = ^/records/(?<recid>[0-9]+)$\nevent = record-view\n";

static const char second_queue[] = "[queue others]\nevents = record-view\n"
                                   "[handler others]\ntype = archive\nqueue = others\nfolder = FOLDER/others\n";

struct fixture {
    struct scene *scene;
    char folder[300];
    char *out;
    json_t *summary;
};

/* Archives: they hear nothing but what is imported. */
static int open_with(void **state, const char *text)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    char *filled;

    folder_make("logs", f->folder, sizeof f->folder);
    filled = scene_replaced(text, "FOLDER", f->folder);
    f->scene = scene_open(filled);
    free(filled);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return open_with(state, ini);
}

/* Every event goes to two queues. */
static int setup_two(void **state)
{
    char text[sizeof ini + sizeof second_queue];

    snprintf(text, sizeof text, "%s%s", ini, second_queue);
    return open_with(state, text);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    scene_close(f->scene);
    json_decref(f->summary);
    free(f->out);
    free(f);
    return 0;
}

static const char *path_of(struct fixture *f, const char *name)
{
    return arena_printf(f->scene->arena, "%s/%s", f->folder, name);
}

/* Line number i: a view of a record each third time, a second later each time. */
static void add_line(struct buf *out, int i)
{
    int64_t us = INT64_C(1700000000000000) + i * US_PER_SECOND;
    char time[64];

    time_format(us, "%d/%b/%Y:%H:%M:%S +0000", time, sizeof time);
    buf_printf(out, "192.0.2.%d - - [%s] \"GET /%s/%d HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0 (X11; %d)\"\n", i % 250,
               time, i % 3 == 0 ? "records" : "static", i, i % 17);
}

static void add_lines(struct buf *out, int from, int to)
{
    for (int i = from; i < to; i++)
        add_line(out, i);
}

static void write_file(const char *path, const char *text, size_t length)
{
    FILE *out = fopen(path, "we");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, length, out), length);
    fclose(out);
}

static void write_lines(struct fixture *f, const char *name, int from, int to)
{
    struct buf text = BUF_INIT;

    add_lines(&text, from, to);
    write_file(path_of(f, name), text.data, text.length);
    buf_release(&text);
}

static void write_gzip(struct fixture *f, const char *name, int from, int to)
{
    struct buf text = BUF_INIT;
    gzFile out = gzopen(path_of(f, name), "wb");

    add_lines(&text, from, to);
    assert_int_equal(gzwrite(out, text.data, (unsigned)text.length), (int)text.length);
    gzclose(out);
    buf_release(&text);
}

static int import(struct fixture *f, const char *a, const char *b, const char *c)
{
    const char *words[] = {"import", "--config", f->scene->config_path, "--json", "access-log", a, b, c, NULL};
    const char *line;
    int code;

    free(f->out);
    json_decref(f->summary);
    code = crier_run(&f->out, words);
    line = strstr(f->out, "{\"files\"");
    f->summary = line ? json_loads(line, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    return code;
}

static void assert_count(struct fixture *f, const char *what, int64_t number)
{
    json_t *value = json_object_get(f->summary, what);

    if (!json_is_integer(value) || json_integer_value(value) != number)
        fail_msg("%s is not %lld: %s", what, (long long)number, f->out);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* How many events with different unique ids the queue has. */
static size_t different(struct fixture *f)
{
    const struct reply *all = scene_redis(f->scene, "XRANGE crier:{views}:stream - +");
    const char **ids = arena_alloc(f->scene->arena, (all->count + 1) * sizeof(const char *));
    size_t count = 0;

    for (size_t i = 0; i < all->count; i++)
        ids[i] = reply_field_text(&all->items[i].items[1], "unique");
    qsort(ids, all->count, sizeof(const char *), compare);
    for (size_t i = 0; i < all->count; i++)
        count += i == 0 || strcmp(ids[i], ids[i - 1]) != 0;
    return count;
}

static int64_t length_of(struct fixture *f)
{
    return scene_redis(f->scene, "XLEN crier:{views}:stream")->integer;
}

/* ---------------------------------------------------------------------------------------------------------- tests */

static void a_log_becomes_events_with_the_time_of_their_lines_and_without_who_it_was(void **state)
{
    struct fixture *f = *state;
    const struct reply *entry;

    write_lines(f, "access.log", 0, 300);
    assert_int_equal(import(f, path_of(f, "access.log"), NULL, NULL), 0);
    assert_count(f, "lines", 300);
    assert_count(f, "events", 100);
    assert_count(f, "accepted", 100);
    assert_int_equal(length_of(f), 100);
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
    struct fixture *f = *state;
    const struct reply *salts;

    write_lines(f, "access.log", 0, 3000);
    assert_int_equal(import(f, path_of(f, "access.log"), NULL, NULL), 0);
    salts = scene_redis(f->scene, "KEYS *salt*");
    assert_true(salts->count > 0);
    for (size_t i = 0; i < salts->count; i++)
        scene_redis(f->scene, "DEL %s", salts->items[i].text);
    salts = scene_redis(f->scene, "KEYS *:seen:*");
    for (size_t i = 0; i < salts->count; i++)
        scene_redis(f->scene, "DEL %s", salts->items[i].text);
    assert_int_equal(import(f, path_of(f, "access.log"), NULL, NULL), 0);
    assert_count(f, "lines", 0);
    assert_count(f, "events", 0);
    assert_int_equal(length_of(f), 1000);
}

static void a_log_that_was_renamed_gzipped_or_has_grown_is_the_same_log(void **state)
{
    struct fixture *f = *state;

    write_lines(f, "access.log", 0, 900);
    assert_int_equal(import(f, path_of(f, "access.log"), NULL, NULL), 0);
    rename(path_of(f, "access.log"), path_of(f, "access.log.1"));
    assert_int_equal(import(f, path_of(f, "access.log.1"), NULL, NULL), 0);
    assert_count(f, "lines", 0);
    write_gzip(f, "access.log.2.gz", 0, 900);
    assert_int_equal(import(f, path_of(f, "access.log.2.gz"), NULL, NULL), 0);
    assert_count(f, "lines", 0);
    write_gzip(f, "access.log.3.gz", 0, 1200);
    assert_int_equal(import(f, path_of(f, "access.log.3.gz"), NULL, NULL), 0);
    assert_count(f, "lines", 300);
    assert_int_equal(length_of(f), 400);
}

static void rotated_logs_are_taken_from_the_oldest_on(void **state)
{
    struct fixture *f = *state;
    const struct reply *all;

    write_lines(f, "access.log", 600, 900);
    write_gzip(f, "access.log.2.gz", 0, 300);
    write_lines(f, "access.log.1", 300, 600);
    assert_int_equal(import(f, path_of(f, "access.log"), path_of(f, "access.log.1"), path_of(f, "access.log.2.gz")), 0);
    assert_count(f, "files", 3);
    all = scene_redis(f->scene, "XRANGE crier:{views}:stream - +");
    assert_int_equal(all->count, 300);
    for (size_t i = 1; i < all->count; i++)
        assert_true(strcmp(reply_field_text(&all->items[i - 1].items[1], "time"),
                           reply_field_text(&all->items[i].items[1], "time")) < 0);
}

static void another_log_that_begins_in_the_same_second_is_imported_too(void **state)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT;

    write_lines(f, "a.log", 0, 300);
    add_line(&text, 0);
    text.length -= strlen("0)\"\n");
    buf_add_text(&text, "other)\"\n");
    add_lines(&text, 1, 600);
    write_file(path_of(f, "b.log"), text.data, text.length);
    assert_int_equal(import(f, path_of(f, "a.log"), NULL, NULL), 0);
    assert_int_equal(import(f, path_of(f, "b.log"), NULL, NULL), 0);
    assert_count(f, "lines", 600);
    assert_int_equal(import(f, path_of(f, "a.log"), path_of(f, "b.log"), NULL), 0);
    assert_count(f, "lines", 0);
    buf_release(&text);
}

static void a_last_line_without_its_end_is_taken_when_it_has_one(void **state)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT;

    add_lines(&text, 0, 301);
    write_file(path_of(f, "access.log"), text.data, text.length - 20);
    assert_int_equal(import(f, path_of(f, "access.log"), NULL, NULL), 0);
    assert_count(f, "lines", 300);
    assert_count(f, "unfinished_files", 1);
    write_file(path_of(f, "access.log"), text.data, text.length);
    assert_int_equal(import(f, path_of(f, "access.log"), NULL, NULL), 0);
    assert_count(f, "lines", 1);
    assert_int_equal(length_of(f), 101);
    buf_release(&text);
}

static void unreadable_lines_are_counted_and_named_by_number_alone(void **state)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT;

    add_lines(&text, 0, 30);
    buf_add_text(&text, "secret words\n");
    add_lines(&text, 30, 60);
    write_file(path_of(f, "access.log"), text.data, text.length);
    assert_int_equal(import(f, path_of(f, "access.log"), NULL, NULL), 3);
    assert_count(f, "lines", 61);
    assert_count(f, "unreadable", 1);
    assert_count(f, "accepted", 20);
    assert_non_null(strstr(f->out, "access.log:31: "));
    assert_null(strstr(f->out, "secret"));
    assert_int_equal(import(f, path_of(f, "access.log"), NULL, NULL), 0);
    buf_release(&text);
}

static void a_dry_run_counts_and_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    const char *words[] = {"import", "--config", f->scene->config_path, "--json", "--dry-run", "access-log",
                           NULL,     NULL};

    write_lines(f, "access.log", 0, 3000);
    words[6] = path_of(f, "access.log");
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
    struct fixture *f = *state;

    write_file(path_of(f, "access.log"), lines, strlen(lines));
    assert_int_equal(import(f, path_of(f, "access.log"), NULL, NULL), 0);
    assert_count(f, "robots", 2);
    assert_count(f, "ignored", 1);
    assert_count(f, "accepted", 1);
}

/* Begins an import in a process of its own. */
static pid_t begin(struct fixture *f, const char *path, const char *backlog)
{
    return crier_begin((const char *const[]){"import", "--config", f->scene->config_path, "--json", "--backlog",
                                             backlog, "access-log", path, NULL});
}

static void until_length(struct fixture *f, int64_t length)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (length_of(f) < length) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the queue has only %lld", (long long)length_of(f));
        usleep(1000);
    }
}

/* False: the import ended before; on a busy machine it may be at its end when it is seen to have begun. */
static bool kill_at_length(struct fixture *f, pid_t pid, int64_t length)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    int status;

    while (length_of(f) < length) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return false;
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the queue has only %lld", (long long)length_of(f));
        usleep(1000);
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static void cut_off_anywhere_it_goes_on_and_counts_each_line_once(void **state)
{
    struct fixture *f = *state;
    int kills = 0;

    write_gzip(f, "access.log.gz", 0, 60000);
    for (int64_t at = 100; at < 15000; at += 2900) {
        const char *backlog = kills ? "100000000" : "1000"; /* the first one comes to no end by itself */
        pid_t pid = begin(f, path_of(f, "access.log.gz"), backlog);
        bool killed = kill_at_length(f, pid, length_of(f) + at % 1000);

        free(crier_begun_said(pid));
        if (!killed)
            break;
        kills++;
    }
    assert_true(kills > 0);
    assert_int_equal(import(f, path_of(f, "access.log.gz"), NULL, NULL), 0);
    assert_int_equal(different(f), 20000);
    assert_true(length_of(f) >= 20000);
}

static void it_waits_where_too_many_events_wait_already(void **state)
{
    struct fixture *f = *state;
    pid_t pid;
    int status;

    write_lines(f, "access.log", 0, 60000);
    pid = begin(f, path_of(f, "access.log"), "1000");
    until_length(f, 1001);
    usleep(500000);
    assert_true(length_of(f) <= 1000 + 9 * 500);
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    while (waitpid(pid, &status, WNOHANG) == 0)
        work_off(f->scene, "documents");
    free(crier_begun_said(pid));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(length_of(f), 20000);
}

static void it_waits_for_each_of_the_queues_that_its_events_go_to(void **state)
{
    struct fixture *f = *state;
    int64_t until_ms;
    pid_t pid;
    int status;

    write_lines(f, "access.log", 0, 60000);
    pid = begin(f, path_of(f, "access.log"), "1000");
    until_length(f, 1001);
    for (until_ms = clock_monotonic_ms() + 1000; clock_monotonic_ms() < until_ms;)
        work_off(f->scene, "documents");
    assert_true(length_of(f) <= 1000 + 9 * 500);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        work_off(f->scene, "documents");
        work_off(f->scene, "others");
    }
    free(crier_begun_said(pid));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(length_of(f), 20000);
}

static void a_redis_that_goes_away_meanwhile_is_waited_for(void **state)
{
    struct fixture *f = *state;
    pid_t pid;
    int status;

    write_lines(f, "access.log", 0, 60000);
    pid = begin(f, path_of(f, "access.log"), "100000000");
    until_length(f, 1000);
    server_kill(f->scene->redis_server);
    usleep(300000);
    server_restart(f->scene->redis_server);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    free(crier_begun_said(pid));
    assert_int_equal(WEXITSTATUS(status), 0);
    redis_drop(f->scene->redis);
    assert_int_equal(different(f), 20000);
}

static void mistakes_are_told_before_anything_is_done(void **state)
{
    struct fixture *f = *state;

    write_lines(f, "access.log", 0, 3);
    assert_int_equal(import(f, NULL, NULL, NULL), 2);
    assert_int_equal(import(f, "-", "-", NULL), 2);
    assert_int_equal(import(f, "--what", NULL, NULL), 2);
    assert_int_equal(import(f, path_of(f, "access.log"), path_of(f, "missing.log"), NULL), 1);
    assert_non_null(strstr(f->out, "missing.log"));
    assert_int_equal(scene_redis(f->scene, "DBSIZE")->integer, 0);
    server_stop(f->scene->redis_server);
    assert_int_equal(import(f, path_of(f, "access.log"), NULL, NULL), 69);
    server_restart(f->scene->redis_server);
    redis_drop(f->scene->redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_log_becomes_events_with_the_time_of_their_lines_and_without_who_it_was, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_second_run_adds_nothing_whatever_became_of_the_salts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_that_was_renamed_gzipped_or_has_grown_is_the_same_log, setup, teardown),
        cmocka_unit_test_setup_teardown(rotated_logs_are_taken_from_the_oldest_on, setup, teardown),
        cmocka_unit_test_setup_teardown(another_log_that_begins_in_the_same_second_is_imported_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_last_line_without_its_end_is_taken_when_it_has_one, setup, teardown),
        cmocka_unit_test_setup_teardown(unreadable_lines_are_counted_and_named_by_number_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dry_run_counts_and_leaves_nothing_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_left_out_as_the_section_of_the_event_says_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_off_anywhere_it_goes_on_and_counts_each_line_once, setup, teardown),
        cmocka_unit_test_setup_teardown(it_waits_where_too_many_events_wait_already, setup, teardown),
        cmocka_unit_test_setup_teardown(it_waits_for_each_of_the_queues_that_its_events_go_to, setup_two, teardown),
        cmocka_unit_test_setup_teardown(a_redis_that_goes_away_meanwhile_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_told_before_anything_is_done, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
