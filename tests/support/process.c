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
    return buf_take(&all);
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
    if (out)
        *out = said;
    else
        free(said);
    return exit_code_of(status);
}

int crier_run(char **out, const char *const arguments[])
{
    char *words[ARGUMENTS_MOST + 1] = {(char *)(uintptr_t)CRIER_PROGRAM};

    for (size_t i = 0; arguments[i] && i + 1 < ARGUMENTS_MOST; i++)
        words[i + 1] = (char *)(uintptr_t)arguments[i];
    return program_run(out, words);
}
