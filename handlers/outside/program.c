#include "handlers/outside/program.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { TERM_WAIT_MS = 1000, KILL_WAIT_MS = 2000, LOOK_EVERY_MS = 5 };

/* All that run, so that none of them is forgotten. */
static pthread_mutex_t running_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct program *running;

void program_init(struct program *p, const struct program_options *options)
{
    *p = (struct program){.options = *options};
    p->input = p->output = p->errors = -1;
    buf_init(&p->line);
    buf_init(&p->complaint);
}

void program_release(struct program *p)
{
    program_end(p, TERM_WAIT_MS);
    buf_release(&p->line);
    buf_release(&p->complaint);
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_ends(struct program *p)
{
    close_end(&p->input);
    close_end(&p->output);
    close_end(&p->errors);
}

/* ----------------------------------------------------------------------------------------------------- its start */

struct pipes {
    int theirs[3], ours[3];
};

static void close_pipes(struct pipes *all)
{
    for (int i = 0; i < 3; i++) {
        close_end(&all->theirs[i]);
        close_end(&all->ours[i]);
    }
}

static bool open_pipes(struct pipes *all)
{
    int ends[2];

    for (int i = 0; i < 3; i++)
        all->theirs[i] = all->ours[i] = -1;
    for (int i = 0; i < 3; i++) {
        if (pipe2(ends, O_CLOEXEC) != 0)
            return false;
        all->theirs[i] = ends[i != STDIN_FILENO];
        all->ours[i] = ends[i == STDIN_FILENO];
        fcntl(all->ours[i], F_SETFL, O_NONBLOCK);
    }
    return true;
}

/* What the child could not do, and why; nothing comes where it has become the program. */
struct failure {
    enum step { STEP_FILES, STEP_LIMITS, STEP_DIRECTORY, STEP_PROGRAM } step;
    int number;
};

/*
 * From here to its end the child may call only what is safe in a signal handler: other threads may have held locks
 * when it was forked off.
 */
static void limit(__rlimit_resource_t resource, int64_t most, int64_t beyond, bool *ok)
{
    struct rlimit both = {(rlim_t)most, (rlim_t)(most + beyond)}, old;

    if (most == 0 || getrlimit(resource, &old) != 0)
        return;
    both.rlim_max = both.rlim_max < old.rlim_max ? both.rlim_max : old.rlim_max; /* as much as crier itself may have */
    both.rlim_cur = both.rlim_cur < both.rlim_max ? both.rlim_cur : both.rlim_max;
    *ok &= setrlimit(resource, &both) == 0;
}

static bool set_limits(const struct program_options *o)
{
    bool ok = true;

    limit(RLIMIT_AS, o->memory_bytes, 0, &ok);
    limit(RLIMIT_NOFILE, o->open_files, 0, &ok);
    limit(RLIMIT_CPU, o->cpu_s, 1, &ok); /* first SIGXCPU, which it may heed */
    return ok;
}

static void set_signals(void)
{
    struct sigaction otherwise = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        sigaction(number, &otherwise, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

enum { REPORT_FD = STDERR_FILENO + 1, FIRST_FREE_FD };

/* Links to servers are left open by the libraries that made them: nothing beyond the three is handed on. */
static bool set_files(const int theirs[3], int report)
{
    int all[] = {theirs[0], theirs[1], theirs[2], report};

    for (int i = 0; i < 4; i++) /* out of the way of the numbers they are to have */
        if ((all[i] = fcntl(all[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD)) < 0)
            return false;
    for (int i = 0; i < 3; i++)
        if (dup2(all[i], i) < 0)
            return false;
    if (dup3(all[3], REPORT_FD, O_CLOEXEC) < 0)
        return false;
    closefrom(FIRST_FREE_FD);
    return true;
}

static _Noreturn void become(const struct program_options *o, const int theirs[3], int report)
{
    struct failure why = {.step = STEP_FILES};

    setpgid(0, 0);
    if (set_files(theirs, report)) {
        report = REPORT_FD;
        why.step = STEP_DIRECTORY;
        if (!*o->directory || chdir(o->directory) == 0) {
            why.step = STEP_LIMITS;
            set_signals();
            if (set_limits(o)) {
                why.step = STEP_PROGRAM;
                execve(o->arguments[0], o->arguments, o->environment);
            }
        }
    }
    why.number = errno;
    if (write(report, &why, sizeof why) < 0) {
        /* its end tells as well that it did not come to be */
    }
    _exit(127);
}

/* Until it has become the program or said why not. */
static bool has_become(int report, struct failure *why)
{
    ssize_t length;

    while ((length = read(report, why, sizeof *why)) < 0 && errno == EINTR)
        continue;
    return length == 0;
}

static bool say_failure(const struct program_options *o, const struct failure *why, struct error *err)
{
    static const char *const words[] = {"its files", "its limits", "its directory", ""};

    return error_set(err, ERROR_AGAIN, "%s: %s%s%s", o->arguments[0], words[why->step],
                     why->step == STEP_PROGRAM ? "" : ": ", strerror(why->number));
}

static void fork_off(struct program *p, const int theirs[3], int report)
{
    pthread_mutex_lock(&running_mutex);
    p->pid = fork();
    if (p->pid == 0)
        become(&p->options, theirs, report);
    if (p->pid > 0) {
        setpgid(p->pid, p->pid); /* whoever is first: it is to be ended as a group at any time */
        p->next = running;
        running = p;
    }
    pthread_mutex_unlock(&running_mutex);
}

/* Whatever is left of it ends, and its number is free for others. */
static int wait_for_end(struct program *p)
{
    int status = 0;

    pthread_mutex_lock(&running_mutex);
    for (struct program **at = &running; *at; at = &(*at)->next)
        if (*at == p) {
            *at = p->next;
            break;
        }
    kill(-p->pid, SIGKILL);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    pthread_mutex_unlock(&running_mutex);
    return status;
}

static bool spawn(struct program *p, const int theirs[3], struct error *err)
{
    struct failure why = {.step = STEP_FILES};
    int report[2];
    bool became = false;

    if (pipe2(report, O_CLOEXEC) != 0) {
        why.number = errno;
        return say_failure(&p->options, &why, err);
    }
    fork_off(p, theirs, report[1]);
    why.number = errno;
    close(report[1]);
    if (p->pid > 0)
        became = has_become(report[0], &why);
    close(report[0]);
    if (became)
        return true;
    if (p->pid > 0)
        wait_for_end(p); /* from here on nobody else looks at its number */
    p->pid = 0;
    return say_failure(&p->options, &why, err);
}

bool program_start(struct program *p, struct error *err)
{
    struct pipes all;
    bool ok;

    if (p->pid)
        return true;
    ok = open_pipes(&all) ? spawn(p, all.theirs, err)
                          : say_failure(&p->options, &(struct failure){STEP_FILES, errno}, err);
    if (!ok) {
        close_pipes(&all);
        return false;
    }
    p->input = all.ours[STDIN_FILENO];
    p->output = all.ours[STDOUT_FILENO];
    p->errors = all.ours[STDERR_FILENO];
    for (int i = 0; i < 3; i++)
        all.ours[i] = -1;
    close_pipes(&all);
    buf_reset(&p->line);
    buf_reset(&p->complaint);
    return true;
}

/* ------------------------------------------------------------------------------------------------------- its end */

/* Its number stays taken, and with it that of its group, until it is waited for. */
static bool is_over(const struct program *p)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == p->pid;
}

static bool is_over_within(const struct program *p, int wait_ms)
{
    int64_t until_ms = clock_monotonic_ms() + wait_ms;

    while (!is_over(p)) {
        if (clock_monotonic_ms() >= until_ms)
            return false;
        nanosleep(&(struct timespec){0, LOOK_EVERY_MS * 1000000L}, NULL);
    }
    return true;
}

/* What it started and left behind goes with it. */
static void clear_away(struct program *p)
{
    int status = wait_for_end(p);

    if (WIFSIGNALED(status))
        snprintf(p->how, sizeof p->how, "was ended by signal %d", WTERMSIG(status));
    else
        snprintf(p->how, sizeof p->how, "ended with status %d", WEXITSTATUS(status));
    p->pid = 0;
    close_ends(p);
}

bool program_has_ended(struct program *p)
{
    if (p->pid && is_over(p))
        clear_away(p);
    return p->pid == 0;
}

void program_end(struct program *p, int wait_ms)
{
    if (!p->pid)
        return;
    close_end(&p->input);
    if (!is_over_within(p, wait_ms)) {
        kill(-p->pid, SIGTERM);
        is_over_within(p, TERM_WAIT_MS);
    }
    clear_away(p);
}

/* The mutex is kept. */
void programs_cut_off(void)
{
    int64_t until_ms = clock_monotonic_ms() + KILL_WAIT_MS;

    pthread_mutex_lock(&running_mutex);
    for (const struct program *p = running; p; p = p->next)
        kill(-p->pid, SIGKILL);
    while (running && waitpid(-1, NULL, WNOHANG) >= 0 && clock_monotonic_ms() < until_ms)
        nanosleep(&(struct timespec){0, LOOK_EVERY_MS * 1000000L}, NULL);
}
