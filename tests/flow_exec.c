/* Events to a program of the operator's: what it says of each counts, and however it ends nothing is lost. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "support/canary.h"
#include "support/outside_stage.h"
#include "support/process.h"
#include "support/work.h"

enum { NOTES_MOST = 1024 * 1024 };

/* Notes "start PID" and what comes to it in a file, and behaves as its first argument says. */
static const char program_text[] =
    "import json, os, subprocess, sys, time\n"
    "mode, path = sys.argv[1:3]\n"
    "def note(text):\n"
    "    with open(path, 'a') as file:\n"
    "        file.write(text + '\\n')\n"
    "note('start %d' % os.getpid())\n"
    "for line in sys.stdin:\n"
    "    event = json.loads(line)\n"
    "    note(event['id'])\n"
    "    outcome, poison = 'done', event['id'] == 'e9'\n"
    "    if mode == 'crash' and poison:\n"
    "        os.kill(os.getpid(), 9)\n"
    "    if mode == 'hang' and poison:\n"
    "        note('child %d' % subprocess.Popen(['sleep', '60']).pid)\n"
    "        time.sleep(60)\n"
    "    while mode == 'flood' and poison:\n"
    "        print('x' * 1000)\n"
    "    if mode == 'garbage':\n"
    "        print('hello\\n\\n{\"id\":\"nobody\",\"outcome\":\"done\"}\\n[[[\\n{\"id\":\"%s\"}' % event['id'])\n"
    "    if mode == 'some' and poison and 'retried' not in open(path).read():\n"
    "        note('retried')\n"
    "        outcome = 'retry'\n"
    "    if mode == 'some' and event['id'] == 'e3':\n"
    "        outcome = 'dead'\n"
    "    if mode == 'slow':\n"
    "        time.sleep(0.01)\n"
    "    if mode == 'stuck':\n"
    "        time.sleep(60)\n"
    "    print(json.dumps({'id': event['id'], 'outcome': outcome, 'reason': 'so \\u00e4'}), flush=True)\n"
    "    note('said ' + event['id'])\n";

struct stage {
    struct outside o;
    char notes[300], program[300];
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* PYTHON in keys: the program above, NOTES its file, SOURCE the project's folder. */
static struct stage *open_stage(const char *keys)
{
    struct stage *st = calloc(1, sizeof *st);
    char text[1500], command[400], *python, *notes, *ini;
    static int number;

    assert_non_null(st);
    snprintf(st->notes, sizeof st->notes, "%s/notes%d", test_folder(), number);
    snprintf(st->program, sizeof st->program, "%s/program%d.py", test_folder(), number++);
    write_file(st->program, program_text);
    snprintf(text, sizeof text,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:0\n[queue q]\nevents = **\n[handler mine]\ntype = exec\n"
             "queue = q\nschedule = at once\n%s",
             keys);
    snprintf(command, sizeof command, "/usr/bin/env python3 %s", st->program);
    python = scene_replaced(text, "PYTHON", command);
    notes = scene_replaced(python, "NOTES", st->notes);
    ini = scene_replaced(notes, "SOURCE", SOURCE_DIR);
    outside_open(&st->o, ini);
    free(python);
    free(notes);
    free(ini);
    return st;
}

static void close_stage(struct stage *st)
{
    outside_close(&st->o);
    free(st);
}

/* How often a line stands in what the program noted. */
static int noted(const struct stage *st, const char *line)
{
    struct buf text = BUF_INIT;
    struct error err;
    int count = 0;

    if (access(st->notes, F_OK) == 0 && !file_read(st->notes, NOTES_MOST, &text, &err))
        fail_msg("%s", err.text);
    for (char *at = text.data; (at = strstr(at, line)); at += strlen(line))
        count += (at == text.data || at[-1] == '\n') && at[strlen(line)] == '\n';
    buf_release(&text);
    return count;
}

/* How many programs were started; they have ended by now, are no zombies, and left nothing that runs. */
static int started(const struct stage *st, bool gone)
{
    FILE *file = fopen(st->notes, "re");
    char line[100];
    int count = 0, pid;

    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "start %d", &pid) == 1) {
            count++;
            assert_true(!gone || kill(pid, 0) != 0);
        } else if (sscanf(line, "child %d", &pid) == 1) {
            for (int64_t until_ms = clock_monotonic_ms() + OUTSIDE_PATIENCE_MS; process_runs(pid);) {
                assert_true(clock_monotonic_ms() < until_ms);
                nanosleep(&(struct timespec){0, 20000000}, NULL);
            }
        }
    fclose(file);
    return count;
}

/* What it has to its programs; ports that are kept for servers of the test are none of it. */
static int open_pipes(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    char target[100];
    int count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)))
        if (readlinkat(dirfd(folder), entry->d_name, target, sizeof target) > 5 && strncmp(target, "pipe:", 5) == 0)
            count++;
    closedir(folder);
    return count;
}

/* ------------------------------------------------------------------------------------------------- what it says */

static void the_example_in_python_handles_events_and_refuses_those_that_are_wrong(void **state)
{
    struct stage *st = open_stage("command = /usr/bin/env python3 SOURCE/deploy/examples/handler.py\n");
    struct event wrong = scene_event(st->o.scene, "user.deleted", "w", NULL, 1, NULL);

    (void)state;
    outside_append(&st->o, 0, 40);
    scene_append(st->o.scene, &wrong, 1);
    outside_work(&st->o, 40, 1);
    assert_true(span_is(outside_letters(&st->o, 1)->event.id, "w"));
    assert_string_equal(outside_letters(&st->o, 1)->reply, "who was deleted?");
    assert_int_equal(st->o.away, 0);
    close_stage(st);
}

static void every_event_has_the_outcome_that_its_line_says(void **state)
{
    struct stage *st = open_stage("command = PYTHON some NOTES\n");

    (void)state;
    outside_append(&st->o, 0, 12);
    outside_work(&st->o, 11, 1);
    assert_true(span_is(outside_letters(&st->o, 1)->event.id, "e3"));
    assert_string_equal(outside_letters(&st->o, 1)->reply, "so \u00e4");
    for (int i = 0; i < 12; i++) {
        char id[20];

        snprintf(id, sizeof id, "e%d", i);
        assert_int_equal(noted(st, id), i == 9 ? 2 : 1);
    }
    close_stage(st);
}

static void a_program_that_is_kept_is_started_once_and_one_that_is_not_for_each_parcel_and_nothing_is_left(void **state)
{
    static const char *const keys[] = {"keep = yes\n", "keep = no\n"};
    int pipes = open_pipes();

    (void)state;
    for (int i = 0; i < 2; i++) {
        char text[200];
        struct stage *st;

        snprintf(text, sizeof text, "command = PYTHON plain NOTES\n%s", keys[i]);
        st = open_stage(text);
        for (int n = 0; n < 3; n++) {
            outside_append(&st->o, 10 * n, 10);
            outside_work(&st->o, 10 * (n + 1), 0);
        }
        outside_close_lane(&st->o);
        assert_int_equal(started(st, true), i == 0 ? 1 : 3);
        close_stage(st);
        assert_int_equal(open_pipes(), pipes);
    }
}

static void garbage_between_its_lines_harms_no_event(void **state)
{
    struct stage *st = open_stage("command = PYTHON garbage NOTES\n");

    (void)state;
    outside_append(&st->o, 0, 30);
    outside_work(&st->o, 30, 0);
    assert_int_equal(noted(st, "e7"), 1);
    assert_int_equal(st->o.away, 0);
    close_stage(st);
}

/* ------------------------------------------------------------------------------------------------- how it ends */

/* Until it noted that it said what became of them, which it does a moment after that is heard. */
static void wait_for(const struct stage *st, int from, int count)
{
    int64_t until_ms = clock_monotonic_ms() + OUTSIDE_PATIENCE_MS;
    char line[20];

    for (int i = from; i < from + count; i++) {
        snprintf(line, sizeof line, "said e%d", i);
        while (noted(st, line) == 0) {
            assert_true(clock_monotonic_ms() < until_ms);
            nanosleep(&(struct timespec){0, 20000000}, NULL);
        }
    }
}

/* Whatever e9 does to the program: in the end it is a dead letter, and every other event is done, once. */
static void check_poison(const char *keys, const char *why)
{
    struct stage *st = open_stage(keys);

    outside_append(&st->o, 0, 20);
    outside_work(&st->o, 19, -1);
    for (int n = 20; lane_tally(st->o.lane).dead == 0; n++) {
        outside_append(&st->o, n, 1); /* the program is seen to work */
        outside_work(&st->o, n, -1);
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    }
    assert_true(span_is(outside_letters(&st->o, 1)->event.id, "e9"));
    assert_int_equal(outside_letters(&st->o, 1)->tries, 2);
    assert_non_null(strstr(outside_letters(&st->o, 1)->reply, why));
    wait_for(st, 0, 9);
    wait_for(st, 10, 10);
    for (int i = 0; i < 20; i++) {
        char said[20];

        snprintf(said, sizeof said, "said e%d", i);
        assert_int_equal(noted(st, said), i != 9);
    }
    outside_close_lane(&st->o);
    assert_true(started(st, true) >= 2);
    close_stage(st);
}

static void an_event_that_crashes_the_program_is_a_dead_letter_in_the_end(void **state)
{
    (void)state;
    check_poison("command = PYTHON crash NOTES\ntries = 2\n", "was ended by signal 9");
}

static void a_program_that_hangs_is_ended_with_all_that_it_started(void **state)
{
    (void)state;
    check_poison("command = PYTHON hang NOTES\ntries = 2\ntimeout = 6s\n", "no outcome for 6000 ms");
}

static void a_program_that_says_too_much_is_ended(void **state)
{
    (void)state;
    check_poison("command = PYTHON flood NOTES\ntries = 2\n", "said too much");
}

static void a_program_that_is_not_there_costs_no_try_and_is_found_when_it_comes(void **state)
{
    struct stage *st = open_stage("command = NOTES.sh\ntries = 1\n");
    char path[320];
    struct error err;
    size_t taken;

    (void)state;
    outside_append(&st->o, 0, 1);
    st->o.lane = work_open(st->o.scene, "mine");
    for (int i = 0; i < 3; i++)
        assert_false(lane_pass(st->o.lane, 0, &taken, &err));
    assert_non_null(strstr(err.text, "No such file"));
    snprintf(path, sizeof path, "%s.sh", st->notes);
    write_file(path, "#!/bin/sh\nread line\necho '{\"id\":\"e0\",\"outcome\":\"done\"}'\n");
    assert_int_equal(chmod(path, 0700), 0);
    outside_work(&st->o, 1, 0);
    close_stage(st);
}

/* ----------------------------------------------------------------------------------------------- what it is given */

static const char look_around[] = "#!/bin/sh\n"
                                  "echo \"group $(ps -o pgid= -p $$ | tr -d ' ') $$\" >>$1\n"
                                  "env >>$1\n"
                                  "grep -E 'Sig(Blk|Ign)' /proc/self/status >>$1\n"
                                  "ls /proc/$$/fd >>$1\n"
                                  "echo \"words $# $2 $3\" >>$1\n"
                                  "read line\n"
                                  "echo '{\"id\":\"e0\",\"outcome\":\"done\"}'\n";

static void it_gets_the_variables_that_are_named_and_neither_files_nor_signals_of_criers(void **state)
{
    struct stage *st = open_stage("command = /bin/sh NOTES.sh NOTES $HOME *\nenvironment = PATH COLOUR MISSING\n");
    char path[320];

    (void)state;
    setenv("COLOUR", "green = 1", 1);
    setenv("TOP_SECRET", CANARY, 1);
    snprintf(path, sizeof path, "%s.sh", st->notes);
    write_file(path, look_around);
    outside_append(&st->o, 0, 1);
    outside_work(&st->o, 1, 0);
    assert_int_equal(noted(st, "COLOUR=green = 1"), 1);
    assert_int_equal(noted(st, "TOP_SECRET=" CANARY), 0);
    assert_int_equal(noted(st, "SigBlk:\t0000000000000000"), 1);
    assert_int_equal(noted(st, "SigIgn:\t0000000000000000") + noted(st, "SigIgn:\t0000000180000000"),
                     1); /* glibc's own */
    assert_int_equal(noted(st, "words 3 $HOME *"), 1);
    assert_int_equal(noted(st, "2"), 1);
    for (int fd = 3; fd < 10; fd++) {
        char line[20];

        snprintf(line, sizeof line, "%d", fd);
        assert_int_equal(noted(st, line), 0);
    }
    close_stage(st);
}

/* ------------------------------------------------------------------------------------------ the service as a whole */

static void killed_in_the_middle_the_service_loses_nothing_and_a_program_that_hangs_delays_no_other(void **state)
{
    struct stage *st = open_stage("command = PYTHON slow NOTES\ndeadline = 30s\ntimeout = 10s\n[handler stuck]\n"
                                  "type = exec\nqueue = q\nschedule = at once\ncommand = PYTHON stuck NOTES.stuck\n"
                                  "timeout = 5s\n");
    int64_t began_ms;

    (void)state;
    outside_append(&st->o, 0, 200);
    st->o.serve = crier_serve_start(st->o.scene->config_path);
    wait_for(st, 0, 10);
    for (int kill = 0; kill < 2; kill++) {
        outside_kill(&st->o);
        wait_for(st, 0, 15 * (kill + 2));
    }
    wait_for(st, 0, 200);
    began_ms = clock_monotonic_ms();
    outside_append(&st->o, 200, 20);
    wait_for(st, 200, 20);
    assert_true(clock_monotonic_ms() - began_ms < OUTSIDE_PATIENCE_MS);
    assert_int_equal(scene_redis(st->o.scene, "XLEN crier:{q}:dead")->integer, 0);
    server_stop(st->o.serve);
    close_stage(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_in_python_handles_events_and_refuses_those_that_are_wrong),
        cmocka_unit_test(every_event_has_the_outcome_that_its_line_says),
        cmocka_unit_test(
            a_program_that_is_kept_is_started_once_and_one_that_is_not_for_each_parcel_and_nothing_is_left),
        cmocka_unit_test(garbage_between_its_lines_harms_no_event),
        cmocka_unit_test(an_event_that_crashes_the_program_is_a_dead_letter_in_the_end),
        cmocka_unit_test(a_program_that_hangs_is_ended_with_all_that_it_started),
        cmocka_unit_test(a_program_that_says_too_much_is_ended),
        cmocka_unit_test(a_program_that_is_not_there_costs_no_try_and_is_found_when_it_comes),
        cmocka_unit_test(it_gets_the_variables_that_are_named_and_neither_files_nor_signals_of_criers),
        cmocka_unit_test(killed_in_the_middle_the_service_loses_nothing_and_a_program_that_hangs_delays_no_other),
    };

    http_global_init();
    signal(SIGPIPE, SIG_IGN); /* as crier has it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
