/* An import of access logs that is cut off, has to wait, or loses its Redis: each line counts once all the same. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/log_stage.h"
#include "support/process.h"
#include "support/scene.h"
#include "support/work.h"

enum { PATIENCE_MS = 60000 };

/* Begins an import in a process of its own. */
static pid_t begin(struct log_stage *f, const char *path, const char *backlog)
{
    return crier_begin((const char *const[]){"import", "--config", f->scene->config_path, "--json", "--backlog",
                                             backlog, "access-log", path, NULL});
}

static void until_length(struct log_stage *f, int64_t length)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (log_stage_length(f) < length) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the queue has only %lld", (long long)log_stage_length(f));
        usleep(1000);
    }
}

/* False: the import ended before; on a busy machine it may be at its end when it is seen to have begun. */
static bool kill_at_length(struct log_stage *f, pid_t pid, int64_t length)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    int status;

    while (log_stage_length(f) < length) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return false;
        if (clock_monotonic_ms() > until_ms)
            fail_msg("the queue has only %lld", (long long)log_stage_length(f));
        usleep(1000);
    }
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static void cut_off_anywhere_it_goes_on_and_counts_each_line_once(void **state)
{
    struct log_stage *f = *state;
    int kills = 0;

    log_stage_write_gzip(f, "access.log.gz", 0, 60000);
    for (int64_t at = 100; at < 15000; at += 2900) {
        const char *backlog = kills ? "100000000" : "1000"; /* the first one comes to no end by itself */
        pid_t pid = begin(f, log_stage_path(f, "access.log.gz"), backlog);
        bool killed = kill_at_length(f, pid, log_stage_length(f) + at % 1000);

        free(crier_begun_said(pid));
        if (!killed)
            break;
        kills++;
    }
    assert_true(kills > 0);
    assert_int_equal(log_stage_import(f, log_stage_path(f, "access.log.gz"), NULL, NULL), 0);
    assert_int_equal(log_stage_different(f), 20000);
    assert_true(log_stage_length(f) >= 20000);
}

static void it_waits_where_too_many_events_wait_already(void **state)
{
    struct log_stage *f = *state;
    pid_t pid;
    int status;

    log_stage_write_lines(f, "access.log", 0, 60000);
    pid = begin(f, log_stage_path(f, "access.log"), "1000");
    until_length(f, 1001);
    usleep(500000);
    assert_true(log_stage_length(f) <= 1000 + 9 * 500);
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    while (waitpid(pid, &status, WNOHANG) == 0)
        work_off(f->scene, "documents");
    free(crier_begun_said(pid));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(log_stage_length(f), 20000);
}

static void it_waits_for_each_of_the_queues_that_its_events_go_to(void **state)
{
    struct log_stage *f = *state;
    int64_t until_ms;
    pid_t pid;
    int status;

    log_stage_write_lines(f, "access.log", 0, 60000);
    pid = begin(f, log_stage_path(f, "access.log"), "1000");
    until_length(f, 1001);
    for (until_ms = clock_monotonic_ms() + 1000; clock_monotonic_ms() < until_ms;)
        work_off(f->scene, "documents");
    assert_true(log_stage_length(f) <= 1000 + 9 * 500);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        work_off(f->scene, "documents");
        work_off(f->scene, "others");
    }
    free(crier_begun_said(pid));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(log_stage_length(f), 20000);
}

static void a_redis_that_goes_away_meanwhile_is_waited_for(void **state)
{
    struct log_stage *f = *state;
    pid_t pid;
    int status;

    log_stage_write_lines(f, "access.log", 0, 60000);
    pid = begin(f, log_stage_path(f, "access.log"), "100000000");
    until_length(f, 1000);
    server_kill(f->scene->redis_server);
    usleep(300000);
    server_restart(f->scene->redis_server);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    free(crier_begun_said(pid));
    assert_int_equal(WEXITSTATUS(status), 0);
    redis_drop(f->scene->redis);
    assert_int_equal(log_stage_different(f), 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cut_off_anywhere_it_goes_on_and_counts_each_line_once, log_stage_open,
                                        log_stage_close),
        cmocka_unit_test_setup_teardown(it_waits_where_too_many_events_wait_already, log_stage_open, log_stage_close),
        cmocka_unit_test_setup_teardown(it_waits_for_each_of_the_queues_that_its_events_go_to, log_stage_open_two,
                                        log_stage_close),
        cmocka_unit_test_setup_teardown(a_redis_that_goes_away_meanwhile_is_waited_for, log_stage_open,
                                        log_stage_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
