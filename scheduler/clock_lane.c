#include "scheduler/clock_lane.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/lease.h"
#include "scheduler/run_tally.h"

enum { ASK_AGAIN_MS = 200 };

struct clock_lane {
    struct clock_run run; /* first: what the handler gets is the lane */
    const struct settings *settings;
    const struct handler_settings *common;
    struct handler *handler;
    struct stop *stop;
    bool installed;
    void (*did)(void *context, int64_t items);
    void *did_context;

    struct run_tally tally;
    int64_t items;   /* of this run */
    char actor[128]; /* the tally's */
    char name[128];  /* of the lease */
    struct redis *redis;
    struct lease lease;
    pthread_mutex_t mutex; /* over the lease, its link, and what is told to the watcher */
    struct stop *over;     /* raised when a run ends: the keeper's */
    pthread_t keeper;
};

/* -------------------------------------------------------------------------------------------------- the lease */

static bool renew(struct clock_lane *l, struct error *err)
{
    bool ok;

    pthread_mutex_lock(&l->mutex);
    ok = lease_renew(&l->lease, l->redis, err);
    pthread_mutex_unlock(&l->mutex);
    return ok;
}

static bool holds(struct clock_lane *l)
{
    bool held;

    pthread_mutex_lock(&l->mutex);
    held = lease_held(&l->lease);
    pthread_mutex_unlock(&l->mutex);
    return held;
}

/* A lease that was lost is not taken anew in the middle of a run: another may have begun. */
static void *keep_lease(void *context)
{
    struct clock_lane *l = context;
    struct error err;

    while (!stop_sleep(l->over, LEASE_RENEW_MS) && holds(l))
        if (!renew(l, &err))
            log_debug("handler %s: %s", l->common->name, err.text);
    return NULL;
}

static bool take_lease(struct clock_lane *l, int64_t wait_ms, bool *elsewhere, struct error *err)
{
    int64_t until_ms = clock_monotonic_ms() + wait_ms;

    l->lease = (struct lease){.name = l->name, .holder = l->lease.holder};
    do {
        if (!renew(l, err))
            return false;
        *elsewhere = !holds(l);
    } while (*elsewhere && clock_monotonic_ms() < until_ms && !stop_sleep(l->stop, ASK_AGAIN_MS));
    return true;
}

static void give_lease(struct clock_lane *l)
{
    struct error err;

    if (!lease_release(&l->lease, l->redis, &err))
        log_debug("handler %s: %s", l->common->name, err.text); /* it ends by itself */
}

/* ------------------------------------------------------------------------------------------- seen by a handler */

static bool may_go_on(struct clock_run *run, struct error *err)
{
    struct clock_lane *l = (struct clock_lane *)run;

    if (stop_wanted(l->stop))
        return error_set(err, ERROR_AGAIN, "stopped before the end; what is left is done next time");
    return holds(l) || error_set(err, ERROR_AGAIN, "the lease was lost; another process goes on");
}

static void did(struct clock_run *run, int64_t items)
{
    struct clock_lane *l = (struct clock_lane *)run;

    pthread_mutex_lock(&l->mutex);
    l->items += items;
    if (l->did)
        l->did(l->did_context, items);
    pthread_mutex_unlock(&l->mutex);
}

/* ----------------------------------------------------------------------------------------------------- the lane */

struct clock_lane *clock_lane_new(const struct settings *s, const struct handler_settings *hs, const char *process,
                                  struct stop *stop, struct error *err)
{
    struct clock_lane *l = xcalloc(1, sizeof *l);

    l->run = (struct clock_run){may_go_on, did};
    l->settings = s;
    l->common = hs;
    l->stop = stop;
    snprintf(l->name, sizeof l->name, "handler:%s", hs->name);
    snprintf(l->actor, sizeof l->actor, "services/%s", process);
    l->tally = (struct run_tally){.settings = s, .handler = hs->name, .actor = l->actor};
    l->lease.holder = process;
    l->redis = settings_redis(s);
    pthread_mutex_init(&l->mutex, NULL);
    l->handler = handler_new(s, hs, err);
    if (l->handler)
        return l;
    clock_lane_free(l);
    return NULL;
}

void clock_lane_free(struct clock_lane *l)
{
    if (!l)
        return;
    handler_free(l->handler);
    redis_free(l->redis);
    pthread_mutex_destroy(&l->mutex);
    free(l);
}

void clock_lane_watch(struct clock_lane *l, void (*watcher)(void *context, int64_t items), void *context)
{
    l->did = watcher;
    l->did_context = context;
}

static bool install(struct clock_lane *l, struct error *err)
{
    const struct handler_type *type = l->handler->type;

    if (!l->installed)
        l->installed = !type->install || type->install(l->handler, err);
    return l->installed;
}

static bool work_under_lease(struct clock_lane *l, clock_work work, void *context, struct error *err)
{
    bool ok;

    l->over = stop_new();
    pthread_create(&l->keeper, NULL, keep_lease, l);
    ok = install(l, err) && work(l->handler, &l->run, context, err);
    stop_raise(l->over);
    pthread_join(l->keeper, NULL);
    stop_free(l->over);
    give_lease(l);
    return ok || error_in(err, "handler %s", l->common->name);
}

bool clock_lane_work(struct clock_lane *l, int64_t wait_ms, clock_work work, void *context, bool *elsewhere,
                     struct error *err)
{
    *elsewhere = false;
    if (!take_lease(l, wait_ms, elsewhere, err))
        return error_in(err, "handler %s: its lease", l->common->name);
    return *elsewhere || work_under_lease(l, work, context, err);
}

static bool own_run(struct handler *h, struct clock_run *run, void *context, struct error *err)
{
    (void)context;
    return h->type->run(h, run, err);
}

bool clock_lane_run(struct clock_lane *l, int64_t wait_ms, bool *elsewhere, struct error *err)
{
    int64_t began_ms = clock_monotonic_ms();
    bool ok;

    l->items = 0;
    ok = clock_lane_work(l, wait_ms, own_run, NULL, elsewhere, err);
    run_tally_add(&l->tally, l->items, clock_monotonic_ms() - began_ms, ok || stop_wanted(l->stop) ? NULL : err);
    run_tally_say(&l->tally, l->redis, false);
    return ok;
}

void clock_lane_tell(struct clock_lane *l)
{
    run_tally_say(&l->tally, l->redis, true);
}

/* A run of the handler's own, by whoever sits at the command line. */
static bool run_for_operator(struct clock_lane *l, int64_t wait_ms, bool *elsewhere, struct error *err)
{
    l->tally.actor = NULL;
    return clock_lane_run(l, wait_ms, elsewhere, err);
}

bool clock_run_once(const struct settings *s, const struct handler_settings *hs, int64_t wait_ms, clock_work work,
                    void *work_context, void (*watcher)(void *context, int64_t items), void *watcher_context,
                    struct error *err)
{
    struct stop *stop = stop_new();
    struct clock_lane *l;
    char process[64];
    bool elsewhere = false, ok;

    snprintf(process, sizeof process, "run-%d-%lld", (int)getpid(), (long long)clock_wall_us());
    l = clock_lane_new(s, hs, process, stop, err);
    if (l)
        clock_lane_watch(l, watcher, watcher_context);
    ok = l && (work ? clock_lane_work(l, wait_ms, work, work_context, &elsewhere, err)
                    : run_for_operator(l, wait_ms, &elsewhere, err));
    if (ok && elsewhere)
        ok = error_set(err, ERROR_AGAIN, "handler %s is at work in another process; try again", hs->name);
    clock_lane_free(l);
    stop_free(stop);
    return ok;
}
