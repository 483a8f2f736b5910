#include "support/browser.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "support/process.h"

enum { LOG_BYTES = 1024 * 1024 };

struct browser {
    pid_t pid; /* and of its group */
    char folder[300], log[320];
};

bool browser_there(void)
{
    char *words[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                     (char *)(uintptr_t) "command -v chromium >/dev/null", NULL};

    return program_run(NULL, words) == 0;
}

/* Everything it writes goes to its folder; it asks nobody outside of this machine for anything. */
static void become_browser(const struct browser *b, const char *url)
{
    char profile[340];
    int log = open(b->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    setpgid(0, 0);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    setenv("HOME", b->folder, 1);
    snprintf(profile, sizeof profile, "--user-data-dir=%s", b->folder);
    execlp("chromium", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
           "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--disable-breakpad", "--no-proxy-server",
           "--remote-debugging-port=0", profile, url, (char *)NULL);
    _exit(127);
}

struct browser *browser_open(const char *url)
{
    struct browser *b = xcalloc(1, sizeof *b);

    folder_make("chromium", b->folder, sizeof b->folder);
    snprintf(b->log, sizeof b->log, "%s/log", b->folder);
    b->pid = fork_bound();
    if (b->pid == 0)
        become_browser(b, url);
    if (b->pid < 0)
        fail_msg("no process for a browser");
    setpgid(b->pid, b->pid); /* whoever of the two comes first */
    return b;
}

void browser_close(struct browser *b)
{
    if (!b)
        return;
    kill(-b->pid, SIGKILL);
    while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free(b);
}

void browser_print_log(const struct browser *b)
{
    struct buf text = BUF_INIT;
    struct error err;

    if (file_read(b->log, LOG_BYTES, &text, &err))
        fprintf(stderr, "--- log of the browser:\n%s---\n", text.data);
    buf_release(&text);
}
