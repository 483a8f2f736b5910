#include "scheduler/signals.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "scheduler/terminal.h"

static void fill(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void signals_block(void)
{
    sigset_t set;

    terminal_know();
    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int signals_wait(int64_t ms)
{
    struct timespec limit = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    sigset_t set;
    int signal;

    fill(&set);
    signal = sigtimedwait(&set, NULL, &limit);
    return signal > 0 ? signal : 0;
}

bool signals_end(int signal)
{
    return signal == SIGTERM || signal == SIGINT || (signal == SIGHUP && terminal_is_closed());
}

void signals_wake(void)
{
    kill(getpid(), SIGHUP);
}

void signals_forget_wake(void)
{
    struct timespec none = {0, 0};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    while (sigtimedwait(&set, NULL, &none) > 0)
        ;
}
