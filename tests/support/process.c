#include "support/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/file.h"
#include "support/canary.h"

/* Bound twice: to the thread by the kernel, and against a parent that died before the kernel was told. */
pid_t fork_bound(void)
{
    pid_t parent = getpid(), child = fork();

    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
    }
    return child;
}

static int exit_code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char *read_all(int fd)
{
    struct buf all = BUF_INIT;
    ssize_t length;

    while ((length = read(fd, buf_grow(&all, 4096), 4096)) > 0 || (length < 0 && errno == EINTR))
        if (length > 0)
            buf_grown(&all, (size_t)length);
    buf_grown(&all, 0); /* a text, also of a program that said nothing */
    return buf_take(&all);
}

bool process_runs(pid_t pid)
{
    char path[60], state = 'Z';
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*d %*s %c", &state) != 1)
            state = 'Z'; /* it went between the two */
        fclose(file);
    }
    return state != 'Z';
}

int program_run(char **out, char *const arguments[])
{
    int ends[2], status;
    pid_t child;
    char *said;

    if (pipe2(ends, O_CLOEXEC) != 0)
        fail_msg("no pipe");
    child = fork_bound();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        execvp(arguments[0], arguments);
        _exit(127);
    }
    close(ends[1]);
    said = read_all(ends[0]);
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    canary_check(arguments[1] ? arguments[1] : arguments[0], said);
    if (out)
        *out = said;
    else
        free(said);
    return exit_code_of(status);
}

int shell_run(char **out, const char *format, ...)
{
    char text[2000];
    va_list args;

    va_start(args, format);
    assert_true(vsnprintf(text, sizeof text, format, args) < (int)sizeof text);
    va_end(args);
    return program_run(out, (char *const[]){(char[]){"sh"}, (char[]){"-c"}, text, NULL});
}

/* ------------------------------------------------------------------------------------------- crier meanwhile */

static void begun_path(pid_t pid, char out[400])
{
    snprintf(out, 400, "%s/begun-%d", test_folder(), (int)pid);
}

static void become_crier(const char *const arguments[])
{
    const char *words[ARGUMENTS_MOST + 1] = {CRIER_PROGRAM};
    char path[400];
    int said;

    begun_path(getpid(), path);
    said = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (said < 0)
        _exit(126);
    dup2(said, STDOUT_FILENO);
    dup2(said, STDERR_FILENO);
    for (size_t i = 0; arguments[i] && i + 1 < ARGUMENTS_MOST; i++)
        words[i + 1] = arguments[i];
    execv(words[0], (char *const *)(uintptr_t)words);
    _exit(127);
}

pid_t crier_begin(const char *const arguments[])
{
    return crier_begin_when(-1, arguments);
}

pid_t crier_begin_when(int told, const char *const arguments[])
{
    pid_t child;
    char go;

    test_folder(); /* made by the parent, whose it is */
    child = fork_bound();
    if (child == 0) {
        if (told >= 0 && read(told, &go, 1) != 1)
            _exit(126);
        become_crier(arguments);
    }
    return child;
}

char *crier_begun_said(pid_t pid)
{
    struct buf said = BUF_INIT;
    struct error err;
    char path[400];

    begun_path(pid, path);
    if (!file_read(path, SIZE_MAX / 2, &said, &err)) /* killed before it could begin */
        buf_add_text(&said, "");
    canary_check("crier that was begun", said.data);
    return buf_take(&said);
}

/* ------------------------------------------------------------------------------------------- crier to its end */

int crier_run(char **out, const char *const arguments[])
{
    char *words[ARGUMENTS_MOST + 1] = {(char *)(uintptr_t)CRIER_PROGRAM}, *said;
    int code;

    for (size_t i = 0; arguments[i] && i + 1 < ARGUMENTS_MOST; i++)
        words[i + 1] = (char *)(uintptr_t)arguments[i];
    code = program_run(&said, words);
    canary_learn(said);
    if (out)
        *out = said;
    else
        free(said);
    return code;
}
