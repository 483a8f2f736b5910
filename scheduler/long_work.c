#include "scheduler/long_work.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { ASK_AGAIN_MS = 200 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static bool renew(struct long_work *w, struct error *err)
{
    w->renewed_ms = clock_monotonic_ms();
    return lease_renew(&w->lease, w->redis, err) &&
           (lease_held(&w->lease) || error_set(err, ERROR_AGAIN, "another process is at it"));
}

/* One that was killed is waited for: its lease ends by itself. */
static bool take(struct long_work *w, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + LEASE_MS + LEASE_RENEW_MS;

    while (!renew(w, err)) {
        if (interrupted || clock_monotonic_ms() > until_ms)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = ASK_AGAIN_MS * 1000000L}, NULL);
    }
    return true;
}

static bool may_go_on(struct clock_run *run, struct error *err)
{
    struct long_work *w = (struct long_work *)run;

    if (interrupted)
        return error_set(err, ERROR_AGAIN, "stopped before the end; the same command goes on with what is left");
    return !w->redis || clock_monotonic_ms() - w->renewed_ms < LEASE_RENEW_MS || renew(w, err);
}

static void did(struct clock_run *run, int64_t items)
{
    progress_add(&((struct long_work *)run)->progress, items);
}

void long_work_start(struct long_work *w, const char *what, int64_t total, bool quiet)
{
    *w = (struct long_work){
        .run = {may_go_on, did}
    };
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    progress_start(&w->progress, what, total, quiet);
}

bool long_work_lease(struct long_work *w, struct redis *r, const char *name, struct error *err)
{
    snprintf(w->name, sizeof w->name, "%s", name);
    snprintf(w->holder, sizeof w->holder, "verb-%d-%lld", (int)getpid(), (long long)clock_wall_us());
    w->lease = (struct lease){.name = w->name, .holder = w->holder};
    w->redis = r;
    return take(w, err);
}

void long_work_end(struct long_work *w)
{
    struct error ignored; /* it ends by itself */

    progress_end(&w->progress);
    if (w->redis && lease_held(&w->lease) && !lease_release(&w->lease, w->redis, &ignored))
        w->redis = NULL;
}
