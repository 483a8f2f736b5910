#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "handlers/line_file.h"
#include "support/server.h"

static char path[300];

/* The whole line is its key. */
static struct span whole(struct span line)
{
    return line;
}

static const struct line_file_form form = {
    .what = "audit file", .start = "{\"id\":", .line_most = 4 * 1024 * 1024, .key = whole};

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/audit.ndjson", test_folder());
    unlink(path);
    return 0;
}

static struct line_file *open_file(void)
{
    struct error err;
    struct line_file *f = line_file_open(path, &form, &err);

    if (!f)
        fail_msg("%s", err.text);
    return f;
}

static void add(struct line_file *f, const char *id)
{
    char line[100];

    snprintf(line, sizeof line, "{\"id\":\"%s\",\"x\":1}", id);
    line_file_add(f, line, strlen(line));
}

static void flush(struct line_file *f)
{
    struct error err;

    if (!line_file_flush(f, &err))
        fail_msg("%s", err.text);
}

static void assert_content(const char *wanted)
{
    struct buf text = BUF_INIT;
    struct error err;

    if (!file_read(path, 1024 * 1024, &text, &err))
        fail_msg("%s", err.text);
    assert_string_equal(text.data, wanted);
    buf_release(&text);
}

static void each_entry_is_a_line_that_only_its_owner_can_read(void **state)
{
    struct line_file *f = open_file();
    struct stat status;

    (void)state;
    add(f, "a");
    add(f, "b");
    assert_content(""); /* nothing before the flush */
    flush(f);
    assert_content("{\"id\":\"a\",\"x\":1}\n{\"id\":\"b\",\"x\":1}\n");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    line_file_close(f);
}

static void an_entry_that_comes_again_is_not_written_twice(void **state)
{
    struct line_file *f = open_file();

    (void)state;
    add(f, "a");
    add(f, "a");
    flush(f);
    add(f, "a");
    flush(f);
    line_file_close(f);
    f = open_file(); /* after a restart */
    add(f, "a");
    add(f, "b");
    flush(f);
    line_file_close(f);
    assert_content("{\"id\":\"a\",\"x\":1}\n{\"id\":\"b\",\"x\":1}\n");
}

static void append(const char *text)
{
    FILE *file = fopen(path, "a");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_line_torn_by_a_crash_is_cut_off_and_comes_again(void **state)
{
    struct line_file *f = open_file();

    (void)state;
    add(f, "a");
    flush(f);
    line_file_close(f);
    append("{\"id\":\"b\",\"x");
    f = open_file();
    assert_content("{\"id\":\"a\",\"x\":1}\n");
    add(f, "b");
    flush(f);
    line_file_close(f);
    assert_content("{\"id\":\"a\",\"x\":1}\n{\"id\":\"b\",\"x\":1}\n");
}

static void what_another_process_wrote_is_not_written_twice(void **state)
{
    struct line_file *ours = open_file(), *theirs = open_file();

    (void)state;
    add(theirs, "a");
    flush(theirs);
    add(ours, "a"); /* taken over from the other, which died before it acknowledged */
    add(ours, "b");
    flush(ours);
    add(theirs, "b");
    flush(theirs);
    assert_content("{\"id\":\"a\",\"x\":1}\n{\"id\":\"b\",\"x\":1}\n");
    line_file_close(ours);
    line_file_close(theirs);
}

static void a_line_torn_by_another_process_spoils_none_of_ours(void **state)
{
    struct line_file *f = open_file();

    (void)state;
    add(f, "a");
    flush(f);
    append("{\"id\":\"b\",\"x");
    add(f, "c");
    flush(f);
    assert_content("{\"id\":\"a\",\"x\":1}\n{\"id\":\"c\",\"x\":1}\n");
    line_file_close(f);
}

static void a_file_that_was_moved_away_is_made_anew(void **state)
{
    struct line_file *f = open_file();
    char moved[310];

    (void)state;
    snprintf(moved, sizeof moved, "%s.1", path);
    add(f, "a");
    flush(f);
    assert_int_equal(rename(path, moved), 0);
    add(f, "a"); /* known from the file that is gone */
    add(f, "b");
    flush(f);
    assert_content("{\"id\":\"b\",\"x\":1}\n");
    assert_int_equal(truncate(path, 0), 0);
    add(f, "c");
    flush(f);
    assert_content("{\"id\":\"c\",\"x\":1}\n");
    line_file_close(f);
    unlink(moved);
}

static void a_file_that_is_none_of_ours_is_left_as_it_is(void **state)
{
    static const char *const others[] = {"notes\nwithout an end", "x"};
    struct error err;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        unlink(path);
        append(others[i]);
        assert_null(line_file_open(path, &form, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_non_null(strstr(err.text, path));
        assert_content(others[i]);
    }
}

static void a_line_without_end_is_not_taken_for_the_whole_file(void **state)
{
    enum { MANY = 5 * 1024 * 1024 };
    struct line_file *f = open_file();
    struct stat before, after;
    struct error err;
    char *long_line = xcalloc(1, MANY);

    (void)state;
    add(f, "a");
    flush(f);
    line_file_close(f);
    memset(long_line, 'x', MANY - 1);
    append(long_line);
    assert_int_equal(stat(path, &before), 0);
    assert_null(line_file_open(path, &form, &err));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    free(long_line);
}

static void a_disk_without_room_leaves_no_torn_line_and_nothing_counts(void **state)
{
    struct line_file *f = open_file();
    struct rlimit before, small = {50, 0};
    struct error err;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    add(f, "a");
    flush(f);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 10; i++)
        add(f, &"bcdefghijk"[i]);
    assert_false(line_file_flush(f, &err));
    assert_int_equal(err.kind, ERROR_AGAIN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_content("{\"id\":\"a\",\"x\":1}\n");
    add(f, "k");
    flush(f);
    assert_content("{\"id\":\"a\",\"x\":1}\n{\"id\":\"k\",\"x\":1}\n");
    line_file_close(f);
}

static void many_generations_of_entries_are_kept_apart(void **state)
{
    enum { COUNT = 60000 };
    struct line_file *f = open_file();
    struct buf text = BUF_INIT;
    struct error err;
    char id[20];
    int lines = 0;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        snprintf(id, sizeof id, "e%d", i);
        add(f, id);
        if (i % 500 == 499)
            flush(f);
    }
    add(f, "e59999"); /* among the newest: known */
    flush(f);
    line_file_close(f);
    assert_true(file_read(path, 64 * 1024 * 1024, &text, &err));
    for (size_t i = 0; i < text.length; i++)
        lines += text.data[i] == '\n';
    assert_int_equal(lines, COUNT);
    buf_release(&text);
}

static void a_path_that_cannot_be_written_is_named(void **state)
{
    struct error err;

    (void)state;
    assert_null(line_file_open("/nowhere/audit.ndjson", &form, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "/nowhere/audit.ndjson"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_entry_is_a_line_that_only_its_owner_can_read, setup),
        cmocka_unit_test_setup(an_entry_that_comes_again_is_not_written_twice, setup),
        cmocka_unit_test_setup(a_line_torn_by_a_crash_is_cut_off_and_comes_again, setup),
        cmocka_unit_test_setup(what_another_process_wrote_is_not_written_twice, setup),
        cmocka_unit_test_setup(a_line_torn_by_another_process_spoils_none_of_ours, setup),
        cmocka_unit_test_setup(a_file_that_was_moved_away_is_made_anew, setup),
        cmocka_unit_test_setup(a_file_that_is_none_of_ours_is_left_as_it_is, setup),
        cmocka_unit_test_setup(a_line_without_end_is_not_taken_for_the_whole_file, setup),
        cmocka_unit_test_setup(a_disk_without_room_leaves_no_torn_line_and_nothing_counts, setup),
        cmocka_unit_test_setup(many_generations_of_entries_are_kept_apart, setup),
        cmocka_unit_test_setup(a_path_that_cannot_be_written_is_named, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
