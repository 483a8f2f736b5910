#include "scheduler/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Its value is the process's number, so that it means nothing to other processes. */
#define TERMINAL_VARIABLE "CRIER_TERMINAL_OF"

static bool had;

/* What else may go wrong, as too many open files, says nothing of it. */
static bool is_there(void)
{
    int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return errno != ENXIO && errno != EIO && errno != ENOENT;
    close(fd);
    return true;
}

static bool outlives_it(void)
{
    struct sigaction hangup;

    return sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
}

static bool is_used(void)
{
    return isatty(STDIN_FILENO) == 1 || isatty(STDOUT_FILENO) == 1 || isatty(STDERR_FILENO) == 1;
}

void terminal_know(void)
{
    const char *before = getenv(TERMINAL_VARIABLE);
    char now[20];

    snprintf(now, sizeof now, "%d", (int)getpid());
    had = (before && strcmp(before, now) == 0) || (is_used() && is_there() && !outlives_it());
    if (had)
        setenv(TERMINAL_VARIABLE, now, true);
}

bool terminal_is_closed(void)
{
    return had && !is_there();
}
