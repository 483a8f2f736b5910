/* `crier serve` in the foreground ends with its terminal; a SIGHUP while that is there means another configuration. */
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "support/process.h"
#include "support/scene.h"

enum { PATIENCE_MS = 60000, LOOK_AGAIN_US = 20000, LOG_BYTES_MOST = 1 << 20 };

struct stage {
    struct scene *scene;
    int port;
    int terminal;   /* our side of it; -1: closed */
    pid_t pid;      /* of crier; 0: not known, or ended */
    struct buf out; /* what came to the terminal */
    char log[400];  /* what came to no terminal */
};

static int setup(void **state)
{
    struct stage *st = xcalloc(1, sizeof *st);
    char ini[500];

    st->port = port_find();
    st->terminal = -1;
    buf_init(&st->out);
    snprintf(st->log, sizeof st->log, "%s/terminal-%d.log", test_folder(), st->port);
    snprintf(ini, sizeof ini,
             "[redis]\nurl = REDIS\n[http]\nlisten = 127.0.0.1:%d\n[queue q]\nevents = user.*\n"
             "[handler mine]\ntype = post\nqueue = q\nurl = http://127.0.0.1:1/\n",
             st->port);
    st->scene = scene_open(ini);
    *state = st;
    return 0;
}

static void close_terminal(struct stage *st)
{
    if (st->terminal >= 0)
        close(st->terminal);
    st->terminal = -1;
}

static int teardown(void **state)
{
    struct stage *st = *state;

    if (st->pid > 0)
        kill(st->pid, SIGKILL);
    close_terminal(st);
    scene_close(st->scene);
    buf_release(&st->out);
    free(st);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------ beginning */

/* In the child, whose input and output are the terminal. */
static _Noreturn void become(const char *const words[])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(words[0], (char *const *)words);
    _exit(127);
}

/* Returns the process that the terminal belongs to. */
static pid_t begin(struct stage *st, const char *const words[])
{
    pid_t leader = forkpty(&st->terminal, NULL, NULL, NULL);

    assert_true(leader >= 0);
    if (leader == 0)
        become(words);
    assert_int_equal(fcntl(st->terminal, F_SETFL, O_NONBLOCK), 0);
    return leader;
}

static void serve(struct stage *st)
{
    st->pid = begin(st, (const char *const[]){CRIER_PROGRAM, "serve", "--config", st->scene->config_path, NULL});
}

/* Nothing of it goes to the terminal, or comes from there. */
static void serve_elsewhere(struct stage *st)
{
    char line[1500];

    snprintf(line, sizeof line, "exec %s serve --config %s </dev/null >%s 2>&1", CRIER_PROGRAM, st->scene->config_path,
             st->log);
    st->pid = begin(st, (const char *const[]){"/bin/sh", "-c", line, NULL});
}

/* --------------------------------------------------------------------------------------------------------- asking */

/* What is written there has to be read, or nobody can write any more. */
static void read_terminal(struct stage *st)
{
    char bytes[4096];
    ssize_t count;

    while (st->terminal >= 0 && (count = read(st->terminal, bytes, sizeof bytes)) > 0)
        buf_add(&st->out, bytes, (size_t)count);
}

static void look_again(struct stage *st, int64_t until_ms, const char *what)
{
    read_terminal(st);
    if (clock_monotonic_ms() > until_ms)
        fail_msg("waited in vain for %s: %s", what, st->out.length ? st->out.data : "");
    usleep(LOOK_AGAIN_US);
}

static bool is_live(const struct stage *st)
{
    return server_answers_get(&(struct server){.port = st->port}, "/health/live");
}

static void await_live(struct stage *st)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!is_live(st))
        look_again(st, until_ms, "its door");
}

static bool was_said(const struct stage *st, const char *words)
{
    struct buf log = BUF_INIT;
    struct error err;
    bool found = (st->out.length && strstr(st->out.data, words)) ||
                 (file_read(st->log, LOG_BYTES_MOST, &log, &err) && strstr(log.data, words));

    buf_release(&log);
    return found;
}

static void await_said(struct stage *st, const char *words)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!was_said(st, words))
        look_again(st, until_ms, words);
}

/* As after a drain: no signal ended it. */
static void await_end(struct stage *st)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    int status;

    while (waitpid(st->pid, &status, WNOHANG) == 0)
        look_again(st, until_ms, "its end");
    st->pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ------------------------------------------------------------------------------------------------------ the tests */

static void it_ends_when_its_terminal_is_closed(void **state)
{
    struct stage *st = *state;

    serve(st);
    await_live(st);
    close_terminal(st);
    await_end(st);
}

static void a_signal_while_the_terminal_is_there_has_the_configuration_taken_anew(void **state)
{
    struct stage *st = *state;

    serve(st);
    await_said(st, "serves as");
    await_live(st);
    assert_int_equal(kill(st->pid, SIGHUP), 0);
    await_said(st, "beginning anew");
    buf_reset(&st->out);
    await_said(st, "serves as"); /* and so it does after the new beginning */
    await_live(st);
    close_terminal(st);
    await_end(st);
}

/* The shell has the terminal, hears of its end, and takes those it started with it. */
static void it_ends_when_the_terminal_of_its_shell_is_closed(void **state)
{
    struct stage *st = *state;
    const char *at;
    char line[1500];
    pid_t shell;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    snprintf(line, sizeof line, "%s serve --config %s & echo it is $!.; wait", CRIER_PROGRAM, st->scene->config_path);
    shell = begin(st, (const char *const[]){"/bin/sh", "-c", line, NULL});
    await_said(st, ".\r\n");
    at = strstr(st->out.data, "it is ");
    assert_non_null(at);
    st->pid = (pid_t)atoi(at + strlen("it is "));
    await_said(st, "serves as");
    await_live(st);
    close_terminal(st);
    assert_int_equal(waitpid(shell, NULL, 0), shell);
    await_end(st);
}

static void what_has_nothing_to_do_with_its_terminal_outlives_it(void **state)
{
    struct stage *st = *state;

    serve_elsewhere(st);
    await_live(st);
    await_said(st, "serves as");
    close_terminal(st);
    await_said(st, "beginning anew");
    await_live(st);
    kill(st->pid, SIGTERM);
    await_end(st);
}

static void it_ends_when_its_terminal_is_closed_while_it_waits_for_redis(void **state)
{
    struct stage *st = *state;

    server_stop(st->scene->redis_server);
    serve(st);
    await_said(st, "waiting for it");
    close_terminal(st);
    await_end(st);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_ends_when_its_terminal_is_closed),
        TEST(a_signal_while_the_terminal_is_there_has_the_configuration_taken_anew),
        TEST(it_ends_when_the_terminal_of_its_shell_is_closed),
        TEST(what_has_nothing_to_do_with_its_terminal_outlives_it),
        TEST(it_ends_when_its_terminal_is_closed_while_it_waits_for_redis),
    };

    http_global_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
