#include "scheduler/clock_workers.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "scheduler/clock_lane.h"
#include "scheduler/held.h"
#include "scheduler/outage.h"
#include "scheduler/ran.h"
#include "scheduler/schedule.h"
#include "scheduler/timer.h"

enum {
    PAUSE_BASE_MS = 250,
    PAUSE_MOST_MS = 10000,
    SLEEP_MOST_MS = 60000, /* the wall clock may jump */
    AT_ONCE_MS = 500,      /* `at once`, for what has no queue to wait at */
};

#define LATER_SCHEDULE "every 2s" /* what a handler of events left for later does not wait for its schedule, too */

struct clock_worker {
    const struct settings *settings;
    const struct handler_settings *common;
    struct clock_lane *lane;
    struct schedule *schedule;
    struct stop *stop;
    pthread_t thread;
    struct counter *runs, *items, *paused, *last_run;
};

struct clock_workers {
    struct clock_worker *items;
    size_t count;
};

/* ---------------------------------------------------------------------------------------------------- one worker */

static void count_items(void *context, int64_t items)
{
    counter_add(((struct clock_worker *)context)->items, items);
}

static bool is_later(const struct handler_settings *hs)
{
    return hs->kind->traits & KIND_LATER;
}

/* Until a run came through, here or elsewhere. */
static void run_once(struct clock_worker *w)
{
    int failures = 0;

    while (!stop_wanted(w->stop)) {
        struct error err;
        bool elsewhere;

        if (clock_lane_run(w->lane, 0, &elsewhere, &err)) {
            counter_add(w->runs, !elsewhere);
            counter_set(w->last_run, clock_wall_us() / US_PER_SECOND);
            if (counter_value(w->paused) != 0)
                log_info("handler %s goes on", w->common->name);
            counter_set(w->paused, 0);
            return;
        }
        if (stop_wanted(w->stop))
            return;
        counter_set(w->paused, 1);
        outage_say("%s; paused, trying again", err.text);
        stop_sleep(w->stop, backoff_ms(failures++, PAUSE_BASE_MS, PAUSE_MOST_MS));
    }
}

static void run_by_schedule(struct clock_worker *w)
{
    int64_t last_us = is_later(w->common) ? 0 : ran_last_us(w->settings, w->common);
    struct timer timer;

    timer_start(&timer, w->schedule, (enum catch_up)w->common->catch_up, w->common->jitter_ms, last_us, clock_wall_us(),
                clock_monotonic_ms());
    while (!stop_wanted(w->stop)) {
        int64_t wait_ms = timer_wait_ms(&timer, clock_wall_us(), clock_monotonic_ms());

        if (wait_ms > 0) {
            stop_sleep(w->stop, wait_ms < SLEEP_MOST_MS ? wait_ms : SLEEP_MOST_MS);
            continue;
        }
        run_once(w);
        timer_ran(&timer, clock_wall_us(), clock_monotonic_ms());
        if (schedule_kind(w->schedule) == SCHEDULE_CRON)
            ran_note(w->settings, w->common, timer.last_us);
    }
}

static void *clock_worker_main(void *context)
{
    struct clock_worker *w = context;

    if (schedule_kind(w->schedule) != SCHEDULE_AT_ONCE)
        run_by_schedule(w);
    else
        do
            run_once(w);
        while (!stop_sleep(w->stop, AT_ONCE_MS));
    clock_lane_tell(w->lane);
    return NULL;
}

/* --------------------------------------------------------------------------------------------------- all of them */

static void open_counters(struct clock_worker *w)
{
    const char *name = w->common->name;
    const char *part = is_later(w->common) ? "later" : NULL; /* whether the handler itself is paused is another thing */

    w->runs = counter_with(COUNTER_TOTAL, "crier_clock_runs_total", "runs by the clock", "handler", name, NULL);
    w->items = counter_with(COUNTER_TOTAL, "crier_clock_items_total", "keys, documents ... done by runs", "handler",
                            name, NULL);
    w->last_run = counter_with(COUNTER_GAUGE, "crier_clock_last_run_seconds", "when a run last ended well, unix time",
                               "handler", name, NULL);
    w->paused = counter_with(COUNTER_GAUGE, "crier_handler_paused", "1 while the handler's peer is away", "handler",
                             name, "part", part, NULL);
}

static bool worker_open(struct clock_worker *w, const char *process, struct error *err)
{
    open_counters(w);
    w->lane = clock_lane_new(w->settings, w->common, process, w->stop, err);
    w->schedule = w->lane ? schedule_new(is_later(w->common) ? LATER_SCHEDULE : w->common->schedule, err) : NULL;
    if (w->lane)
        clock_lane_watch(w->lane, count_items, w);
    return w->schedule != NULL;
}

static void workers_free(struct clock_workers *w)
{
    for (size_t i = 0; i < w->count; i++) {
        clock_lane_free(w->items[i].lane);
        schedule_free(w->items[i].schedule);
    }
    free(w->items);
    free(w);
}

struct clock_workers *clock_workers_start(const struct settings *s, const char *process, struct stop *stop,
                                          struct error *err)
{
    struct clock_workers *w = xcalloc(1, sizeof *w);
    bool ok = true;

    w->items = xcalloc(s->handler_count + 1, sizeof *w->items);
    for (size_t i = 0; ok && i < s->handler_count; i++) {
        if (!(s->handlers[i].kind->traits & (KIND_CLOCK | KIND_LATER)))
            continue;
        w->items[w->count] = (struct clock_worker){.settings = s, .common = &s->handlers[i], .stop = stop};
        ok = worker_open(&w->items[w->count++], process, err);
    }
    if (!ok) {
        workers_free(w);
        return NULL;
    }
    for (size_t i = 0; i < w->count; i++)
        pthread_create(&w->items[i].thread, NULL, clock_worker_main, &w->items[i]);
    return w;
}

void clock_workers_join(struct clock_workers *w)
{
    for (size_t i = 0; i < w->count; i++)
        pthread_join(w->items[i].thread, NULL);
    workers_free(w);
}
