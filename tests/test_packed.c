#include "base/packed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/process.h"

static char path[400];

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/lines.gz", test_folder());
    unlink(path);
    return 0;
}

/* So many lines, the last one long. */
static struct packed_sums write_lines(int count)
{
    struct error err;
    struct packed_writer *w = packed_create(path, &err);
    struct packed_sums sums;
    char line[40], *last = calloc(1, 300001);

    assert_non_null(w);
    assert_non_null(last);
    memset(last, 'x', 300000);
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof line, "line %d", i);
        assert_true(packed_add(w, line, strlen(line), &err));
    }
    assert_true(packed_add(w, last, 300000, &err));
    assert_int_equal(access(path, F_OK), -1); /* not before it is whole */
    assert_true(packed_finish(w, &sums, &err));
    free(last);
    return sums;
}

static void what_was_packed_is_what_other_programs_find_with_the_same_digests(void **state)
{
    struct packed_sums sums = write_lines(20000);
    char *out, script[1300];

    (void)state;
    assert_int_equal(sums.lines, 20001);
    snprintf(script, sizeof script, "sha256sum < %s; zcat %s | sha256sum; zcat %s | wc -lc", path, path, path);
    assert_int_equal(program_run(&out, (char *[]){"sh", "-c", script, NULL}), 0);
    assert_non_null(strstr(out, sums.sha256));
    assert_non_null(strstr(out, sums.content_sha256));
    snprintf(script, sizeof script, "%lld", (long long)sums.content_bytes);
    assert_non_null(strstr(out, script));
    free(out);
}

static void lines_come_back_as_they_were_given(void **state)
{
    struct error err;
    struct packed_reader *r;
    struct span line;
    bool ended = false;
    char wanted[40];
    int count = 0;

    (void)state;
    write_lines(20000);
    assert_non_null(r = packed_open(path, &err));
    for (;; count++) {
        assert_true(packed_line(r, 1 << 20, &line, &ended, &err));
        if (ended)
            break;
        snprintf(wanted, sizeof wanted, "line %d", count);
        assert_true(count == 20000 ? line.length == 300000 : span_is(line, wanted));
    }
    assert_int_equal(count, 20001);
    packed_close(r);
}

/* Reads all of it; false where that cannot be. */
static bool read_through(size_t most, struct error *err)
{
    struct packed_reader *r = packed_open(path, err);
    struct span line;
    bool ended = false, ok = true;

    while (ok && !ended)
        ok = packed_line(r, most, &line, &ended, err);
    packed_close(r);
    return ok;
}

static void a_file_that_is_cut_off_or_changed_is_an_error_and_so_is_a_line_too_long(void **state)
{
    struct packed_sums sums = write_lines(20000);
    struct error err;

    (void)state;
    assert_true(read_through(1 << 20, &err));
    assert_false(read_through(200000, &err));
    assert_non_null(strstr(err.text, "longer than"));
    assert_int_equal(truncate(path, sums.bytes - 20), 0);
    assert_false(read_through(1 << 20, &err));
    assert_non_null(strstr(err.text, "cut off"));
    assert_true(file_replace(path, 0600, "no gzip at all", 14, &err));
    assert_false(read_through(1 << 20, &err));
    assert_int_equal(err.kind, ERROR_INPUT);
}

static void a_file_given_up_leaves_nothing(void **state)
{
    struct error err;
    struct packed_writer *w = packed_create(path, &err);
    char part[410];

    (void)state;
    assert_non_null(w);
    assert_true(packed_add(w, "a", 1, &err));
    packed_discard(w);
    snprintf(part, sizeof part, "%s.part", path);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(part, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_packed_is_what_other_programs_find_with_the_same_digests, setup),
        cmocka_unit_test_setup(lines_come_back_as_they_were_given, setup),
        cmocka_unit_test_setup(a_file_that_is_cut_off_or_changed_is_an_error_and_so_is_a_line_too_long, setup),
        cmocka_unit_test_setup(a_file_given_up_leaves_nothing, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
