/* What a program of the operator's is given, and where its limits are: directory, files, memory, time, words. */
#include <fcntl.h>
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

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "notifier/stream.h"
#include "support/outside_stage.h"
#include "support/pause.h"
#include "support/process.h"
#include "support/work.h"

enum { TEXT_MOST = 1024 * 1024, STRAY_FD = 300, COMPLAINTS_MOST = 50 };

struct stage {
    struct outside o;
    char folder[300], notes[320];
};

/* The body of a shell script as the program, which says at its end that each line it is sent is done. NOTES: a file. */
static struct stage *open_stage(const char *keys, const char *body)
{
    struct stage *st = calloc(1, sizeof *st);
    char path[320], text[1000], *script;
    static int number;
    FILE *file;

    assert_non_null(st);
    snprintf(st->folder, sizeof st->folder, "%s/stage%d", test_folder(), number++);
    assert_int_equal(mkdir(st->folder, 0700), 0);
    snprintf(st->notes, sizeof st->notes, "%s/notes", st->folder);
    snprintf(path, sizeof path, "%s/program", st->folder);
    script = scene_replaced(body, "NOTES", st->notes);
    file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file,
            "%s\nwhile read line; do\n  id=${line#*'\"id\":\"'}\n  echo \"{\\\"id\\\":\\\"${id%%%%'\"'*}\\\","
            "\\\"outcome\\\":\\\"done\\\"}\"\ndone\n",
            script);
    fclose(file);
    free(script);
    snprintf(text, sizeof text,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue q]\nevents = **\n[handler mine]\ntype = exec\n"
             "queue = q\nschedule = at once\nparallel = 1\ncommand = /bin/sh %s\n%s",
             path, keys);
    script = scene_replaced(text, "FOLDER", st->folder);
    outside_open(&st->o, script);
    free(script);
    return st;
}

static void close_stage(struct stage *st)
{
    outside_close(&st->o);
    free(st);
}

/* How often a piece of text stands in a file; none: 0. */
static int count_in(const char *path, const char *piece)
{
    struct buf text = BUF_INIT;
    struct error err;
    int count = 0;

    if (access(path, F_OK) == 0 && !file_read(path, TEXT_MOST, &text, &err))
        fail_msg("%s", err.text);
    for (const char *at = text.data; (at = strstr(at, piece)); at += strlen(piece))
        count++;
    buf_release(&text);
    return count;
}

static void check_noted(const struct stage *st, const char *line)
{
    if (count_in(st->notes, line) != 1)
        fail_msg("not noted once: %s", line);
}

static void do_three(struct stage *st)
{
    outside_append(&st->o, 0, 3);
    outside_work(&st->o, 3, 0);
}

static void serve_until_done(struct stage *st)
{
    int64_t until_ms = clock_monotonic_ms() + OUTSIDE_PATIENCE_MS;
    struct queue_state state = {0};
    struct error err;

    outside_append(&st->o, 0, 3);
    st->o.serve = crier_serve_start(st->o.scene->config_path);
    while (state.group_count != 1 || state.groups[0].waiting + state.groups[0].pending > 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(20);
        assert_true(stream_state(st->o.scene->redis, "q", st->o.scene->arena, &state, &err));
    }
    server_stop(st->o.serve);
}

/* Passes until one fails, whose reason is st->o.why. */
static void work_until_it_fails(struct stage *st)
{
    int64_t until_ms = clock_monotonic_ms() + OUTSIDE_PATIENCE_MS;
    struct error err;
    size_t taken;

    outside_append(&st->o, 0, 1);
    st->o.lane = work_open(st->o.scene, "mine");
    while (lane_pass(st->o.lane, 0, &taken, &err))
        assert_true(clock_monotonic_ms() < until_ms);
    snprintf(st->o.why, sizeof st->o.why, "%s", err.text);
}

/* ------------------------------------------------------------------------------------------------ where it is */

static void it_runs_in_the_directory_that_is_named(void **state)
{
    struct stage *st = open_stage("directory = FOLDER\n", "echo \"in $(pwd -P)\" >NOTES; echo here >mark");
    char path[400], line[340];

    (void)state;
    do_three(st);
    snprintf(line, sizeof line, "in %s\n", st->folder);
    check_noted(st, line);
    snprintf(path, sizeof path, "%s/mark", st->folder);
    assert_int_equal(count_in(path, "here"), 1);
    close_stage(st);
}

static void a_directory_that_is_not_there_costs_no_try_and_is_found_when_it_comes(void **state)
{
    struct stage *st = open_stage("directory = FOLDER/later\ntries = 1\n", "");
    char path[400];

    (void)state;
    work_until_it_fails(st);
    assert_non_null(strstr(st->o.why, "/bin/sh: its directory: No such file"));
    snprintf(path, sizeof path, "%s/later", st->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    outside_work(&st->o, 1, 0);
    close_stage(st);
}

/* Not into a pipe, whose ends the shell would have open meanwhile. */
static const char list_files[] = "ls /proc/$$/fd >NOTES.list; sed 's/.*/file &./' NOTES.list >>NOTES";

static void no_file_of_criers_is_open_in_it(void **state)
{
    struct stage *st = open_stage("", list_files);
    int file = open("/dev/null", O_RDONLY);

    (void)state;
    assert_int_equal(dup2(file, STRAY_FD), STRAY_FD);
    do_three(st);
    close(STRAY_FD);
    close(file);
    check_noted(st, "file 1.\n");
    assert_int_equal(count_in(st->notes, "file 3."), 0);
    assert_int_equal(count_in(st->notes, "file 300."), 0);
    close_stage(st);
}

/* Where a service manager closed them, crier's own pipes get the numbers that the program's are to have. */
static void it_hears_and_speaks_where_criers_standard_files_are_closed(void **state)
{
    struct stage *st = open_stage("", list_files);
    int input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100), output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 100);

    (void)state;
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    do_three(st);
    outside_close_lane(&st->o);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    close(input);
    close(output);
    check_noted(st, "file 0.\n");
    assert_int_equal(count_in(st->notes, "file 3."), 0);
    close_stage(st);
}

/* ------------------------------------------------------------------------------------------------ its limits */

static const char note_limits[] = "echo \"soft $(ulimit -v) $(ulimit -n) $(ulimit -t).\" >NOTES\n"
                                  "echo \"hard $(ulimit -H -v) $(ulimit -H -n) $(ulimit -H -t).\" >>NOTES";

static void it_has_the_limits_that_are_set_and_cannot_raise_them(void **state)
{
    struct stage *st = open_stage("memory = 300MiB\nopen_files = 40\ncpu = 7s\n", note_limits);

    (void)state;
    do_three(st);
    check_noted(st, "soft 307200 40 7.\n");
    check_noted(st, "hard 307200 40 8.\n");
    close_stage(st);
}

static void without_limits_of_its_own_it_has_criers(void **state)
{
    struct stage *st = open_stage("", note_limits);
    struct rlimit files;
    char line[100];

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    do_three(st);
    snprintf(line, sizeof line, "soft unlimited %llu unlimited.\n", (unsigned long long)files.rlim_cur);
    check_noted(st, line);
    close_stage(st);
}

/* A limit beyond crier's own is crier's own, and no reason not to run. */
static void its_limits_go_no_further_than_criers(void **state)
{
    struct stage *st = open_stage("open_files = 900000\n", note_limits);
    struct rlimit old, low = {200, 200};
    char line[40];

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low.rlim_max = old.rlim_max < 900000 ? old.rlim_max : 900000;
    do_three(st);
    snprintf(line, sizeof line, "soft unlimited %llu ", (unsigned long long)low.rlim_max);
    check_noted(st, line);
    close_stage(st);
}

static void one_that_wants_more_memory_does_not_get_it(void **state)
{
    struct stage *st = open_stage(
        "memory = 400MiB\n",
        "python3 -c 'bytearray(1 << 20); print(\"little\")' >NOTES\npython3 -c 'bytearray(1 << 30); print(\"much\")' "
        ">>NOTES 2>&1");

    (void)state;
    do_three(st);
    check_noted(st, "little\n");
    check_noted(st, "MemoryError\n");
    assert_int_equal(count_in(st->notes, "much\n"), 0);
    close_stage(st);
}

static void one_that_computes_for_too_long_is_ended(void **state)
{
    struct stage *st = open_stage("cpu = 1s\ndeadline = 300s\ntimeout = 100s\n", "while :; do :; done");

    (void)state;
    work_until_it_fails(st);
    assert_non_null(strstr(st->o.why, "the program was ended by signal 24")); /* SIGXCPU */
    close_stage(st);
}

/* ------------------------------------------------------------------------------------------------ its end */

/* What was killed takes a moment to be gone. */
static void check_gone(int pid)
{
    int64_t until_ms = clock_monotonic_ms() + OUTSIDE_PATIENCE_MS;

    while (process_runs(pid)) {
        assert_true(clock_monotonic_ms() < until_ms);
        pause_ms(20);
    }
}

static void one_that_ignores_its_end_is_ended_with_its_children_at_the_deadline(void **state)
{
    struct stage *st = open_stage("timeout = 10s\n", "trap '' TERM\nsleep 600 & echo \"$$ $!\" >NOTES\nsleep 600");
    int parent = 0, child = 0;
    FILE *file;

    (void)state;
    work_until_it_fails(st);
    assert_non_null(strstr(st->o.why, "the program gave no outcome for 10000 ms"));
    file = fopen(st->notes, "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d %d", &parent, &child), 2);
    fclose(file);
    check_gone(parent);
    check_gone(child);
    close_stage(st);
}

/* ------------------------------------------------------------------------------------------------ its complaints */

static void what_it_complains_of_is_in_the_log_by_lines_and_no_more_than_people_read(void **state)
{
    struct stage *st = open_stage("", "i=0; while [ $i -lt 400 ]; do echo \"complaint $i.\" >&2; i=$((i + 1)); done");
    char path[400];

    (void)state;
    serve_until_done(st);
    snprintf(path, sizeof path, "%s/log", server_folder(st->o.serve));
    assert_int_equal(count_in(path, "info: handler mine: its program says: complaint 0.\n"), 1);
    assert_true(count_in(path, "its program says") >= COMPLAINTS_MOST);
    assert_true(count_in(path, "its program says") <= 3 * COMPLAINTS_MOST); /* of two lanes, or in two spells */
    close_stage(st);
}

static void a_line_without_end_is_cut_and_its_signs_are_shown_not_obeyed(void **state)
{
    struct stage *st = open_stage("", "printf 'red \\033[31m\\r\\n' >&2; head -c 3000 /dev/zero | tr '\\0' z >&2");
    char path[400];

    (void)state;
    serve_until_done(st);
    snprintf(path, sizeof path, "%s/log", server_folder(st->o.serve));
    assert_true(count_in(path, "its program says: red ") >= 1);
    assert_int_equal(count_in(path, "\033"), 0);
    assert_true(count_in(path, "its program says: zzz") >= 2);
    close_stage(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_runs_in_the_directory_that_is_named),
        cmocka_unit_test(a_directory_that_is_not_there_costs_no_try_and_is_found_when_it_comes),
        cmocka_unit_test(no_file_of_criers_is_open_in_it),
        cmocka_unit_test(it_hears_and_speaks_where_criers_standard_files_are_closed),
        cmocka_unit_test(it_has_the_limits_that_are_set_and_cannot_raise_them),
        cmocka_unit_test(without_limits_of_its_own_it_has_criers),
        cmocka_unit_test(its_limits_go_no_further_than_criers),
        cmocka_unit_test(one_that_wants_more_memory_does_not_get_it),
        cmocka_unit_test(one_that_computes_for_too_long_is_ended),
        cmocka_unit_test(one_that_ignores_its_end_is_ended_with_its_children_at_the_deadline),
        cmocka_unit_test(what_it_complains_of_is_in_the_log_by_lines_and_no_more_than_people_read),
        cmocka_unit_test(a_line_without_end_is_cut_and_its_signs_are_shown_not_obeyed),
    };

    http_global_init();
    signal(SIGPIPE, SIG_IGN); /* as crier has it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
