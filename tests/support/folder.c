#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/process.h"

/* Reads until the test process is gone, however it went, and removes its folder; servers may still be dying in it. */
static const char keeper[] = "cat >/dev/null; i=0; while [ -e \"$1\" ] && [ $i -lt 50 ]; do"
                             " rm -rf -- \"$1\" 2>/dev/null; [ -e \"$1\" ] && sleep 0.2; i=$((i + 1)); done";

static void become_keeper(int pipe_end, const char *folder)
{
    setsid(); /* a Ctrl-C is not for it */
    dup2(pipe_end, STDIN_FILENO);
    for (int fd = 1; fd < 1024; fd++)
        close(fd); /* who waits for the test's output must not wait for us */
    execl("/bin/sh", "sh", "-c", keeper, "keeper", folder, (char *)NULL);
    _exit(127);
}

static const char *root(void)
{
    static char folder[200];
    int ends[2] = {-1, -1};

    if (folder[0])
        return folder;
    snprintf(folder, sizeof folder, "%s/crier-test-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(folder) || chmod(folder, 0711) != 0 || pipe2(ends, O_CLOEXEC) != 0)
        fail_msg("no folder for the test: %s", folder);
    if (fork() == 0)
        become_keeper(ends[0], folder);
    close(ends[0]); /* the other end stays open as long as this process lives */
    return folder;
}

void folder_make(const char *name, char *out, size_t size)
{
    static int number;

    snprintf(out, size, "%s/%s-%d", root(), name, ++number);
    if (mkdir(out, 0755) != 0)
        fail_msg("no folder %s", out);
}

const char *test_folder(void)
{
    static char folder[300];

    if (!folder[0])
        folder_make("files", folder, sizeof folder);
    return folder;
}

const char *test_prefix(void)
{
    static char prefix[40];

    if (!prefix[0])
        snprintf(prefix, sizeof prefix, "t%dx%llx-", (int)getpid(), (unsigned long long)clock_wall_us());
    return prefix;
}
