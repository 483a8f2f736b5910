#include "scheduler/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "scheduler/held.h"
#include "scheduler/lane.h"
#include "scheduler/outage.h"
#include "scheduler/ran.h"
#include "scheduler/schedule.h"
#include "scheduler/timer.h"

enum {
    PAUSE_BASE_MS = 250,
    PAUSE_MOST_MS = 10000,
    PAUSE_ASKED_MOST_MS = 300000, /* where the peer asked for longer: it may be back before */
    READ_WAIT_MS = 500,           /* how long a read may wait; bounds how late a stop is seen */
    COLLECT_MS = 100,             /* what comes so soon after the first event goes with it */
};

#define SET_BACK_US (INT64_C(60) * US_PER_SECOND) /* small corrections are no jump */

/* What the lanes of one handler have in common. */
struct crew {
    const struct handler_settings *common;
    struct schedule *schedule;
    atomic_bool installed;
    atomic_int paused_lanes;
    struct counter *paused;
};

struct worker {
    const struct settings *settings;
    struct crew *crew;
    struct lane *lane;
    struct stop *stop;
    pthread_t thread;
    int number; /* of the lanes at the tail of the queue */
    bool head, paused;
    atomic_int_fast64_t since_ms; /* of the pass under way; 0: none */
};

struct workers {
    struct crew *crews;
    struct worker *items;
    size_t crew_count, count;
};

/* ------------------------------------------------------------------------------------------------------ one lane */

/* Sleeps; what the lane has stays its own meanwhile. */
static void rest(struct worker *w, int64_t ms)
{
    int64_t until_ms = clock_monotonic_ms() + ms, left_ms;

    while (!stop_wanted(w->stop) && (left_ms = until_ms - clock_monotonic_ms()) > 0) {
        int64_t keep_ms = lane_keep(w->lane);

        stop_sleep(w->stop, left_ms < keep_ms ? left_ms : keep_ms);
    }
}

/* A peer is away: time helps, or an operator who reads this. */
static void pause_lane(struct worker *w, int failures, const struct error *err)
{
    int64_t ms = backoff_ms(failures, PAUSE_BASE_MS, PAUSE_MOST_MS),
            asked_ms = err->wait_ms < PAUSE_ASKED_MOST_MS ? err->wait_ms : PAUSE_ASKED_MOST_MS;

    if (!w->paused)
        atomic_fetch_add(&w->crew->paused_lanes, 1);
    w->paused = true;
    counter_set(w->crew->paused, 1);
    outage_say("%s; paused, trying again", err->text);
    rest(w, asked_ms > ms ? asked_ms : ms);
}

static void resume_lane(struct worker *w)
{
    if (!w->paused)
        return;
    w->paused = false;
    if (atomic_fetch_sub(&w->crew->paused_lanes, 1) > 1)
        return;
    counter_set(w->crew->paused, 0);
    log_info("handler %s goes on", w->crew->common->name);
}

static void install(struct worker *w)
{
    bool first = w->number == 0 && !w->head;
    struct error err;
    int failures = 0;

    while (first && !stop_wanted(w->stop) && !lane_install(w->lane, &err))
        pause_lane(w, failures++, &err);
    if (first)
        atomic_store(&w->crew->installed, true);
    while (!atomic_load(&w->crew->installed) && !stop_sleep(w->stop, 50))
        continue;
}

/* Passes until nothing is due; what a pass could not do stays in hand for the next. */
static void work_off(struct worker *w, int wait_ms)
{
    size_t taken = 1;
    int failures = 0;

    while (taken > 0 && !stop_wanted(w->stop)) {
        struct error err;
        bool ok;

        atomic_store(&w->since_ms, clock_monotonic_ms());
        ok = lane_pass(w->lane, wait_ms, &taken, &err);
        atomic_store(&w->since_ms, 0);
        if (ok) {
            failures = 0;
            resume_lane(w);
        } else {
            taken = 1;
            pause_lane(w, failures++, &err);
        }
    }
}

/* Until the schedule's next run, or until a held event is due, whichever comes first. */
static int64_t sleep_ms(const struct worker *w, const struct timer *t)
{
    int64_t run_ms = timer_wait_ms(t, clock_wall_us(), clock_monotonic_ms());
    int64_t due_ms = lane_next_due_ms(w->lane);

    return due_ms >= 0 && due_ms < run_ms ? due_ms : run_ms;
}

/*
 * `every` is how often at most: a handler that had nothing to do begins soon after something comes, with what came
 * together; and once in an interval in any case, as it may be that others left something behind.
 */
static void wait_for_work(struct worker *w)
{
    int64_t until_ms = clock_monotonic_ms() + schedule_interval_ms(w->crew->schedule), left_ms;
    struct error err;
    bool some = false;

    while (!some && !stop_wanted(w->stop) && (left_ms = until_ms - clock_monotonic_ms()) > 0) {
        int64_t due_ms = lane_next_due_ms(w->lane);

        lane_keep(w->lane);
        if (due_ms == 0 || !lane_waits(w->lane, (int)(left_ms < READ_WAIT_MS ? left_ms : READ_WAIT_MS), &some, &err))
            return; /* the pass meets the same trouble, and says so */
    }
    if (some)
        stop_sleep(w->stop, COLLECT_MS);
}

static void start_timer(const struct worker *w, struct timer *t, int64_t last_us)
{
    const struct handler_settings *common = w->crew->common;

    timer_start(t, w->crew->schedule, (enum catch_up)common->catch_up, common->jitter_ms, last_us, clock_wall_us(),
                clock_monotonic_ms());
}

static void note_run(const struct worker *w, struct timer *t)
{
    timer_ran(t, clock_wall_us(), clock_monotonic_ms());
    if (w->number == 0 && schedule_kind(w->crew->schedule) == SCHEDULE_CRON)
        ran_note(w->settings, w->crew->common, t->last_us);
}

/* Sleeps at most a minute at a time, as the wall clock may jump; one that was set back makes a new plan. */
static void run_by_schedule(struct worker *w)
{
    int64_t latest_us = clock_wall_us(), wait_ms;
    struct timer timer;

    start_timer(w, &timer, w->number == 0 ? ran_last_us(w->settings, w->crew->common) : 0);
    while (!stop_wanted(w->stop)) {
        int64_t now_us = clock_wall_us();
        bool run = timer_wait_ms(&timer, now_us, clock_monotonic_ms()) == 0;

        if (now_us < latest_us - SET_BACK_US)
            start_timer(w, &timer, timer.last_us);
        latest_us = now_us;
        wait_ms = sleep_ms(w, &timer);
        if (wait_ms > 0) {
            rest(w, wait_ms < 60000 ? wait_ms : 60000);
            continue;
        }
        if (run && schedule_kind(w->crew->schedule) == SCHEDULE_EVERY)
            wait_for_work(w);
        work_off(w, run ? 0 : LANE_NOTHING_NEW);
        if (run)
            note_run(w, &timer);
    }
}

static void run_at_once(struct worker *w)
{
    while (!stop_wanted(w->stop)) {
        work_off(w, READ_WAIT_MS);
        if (lane_full(w->lane))
            rest(w, READ_WAIT_MS);
    }
}

static void *worker_main(void *context)
{
    struct worker *w = context;

    install(w);
    if (w->head || schedule_kind(w->crew->schedule) == SCHEDULE_AT_ONCE)
        run_at_once(w);
    else
        run_by_schedule(w);
    lane_leave(w->lane);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------ all lanes */

static bool crew_open(struct crew *c, const struct handler_settings *hs, struct error *err)
{
    c->common = hs;
    c->paused = counter_with(COUNTER_GAUGE, "crier_handler_paused", "1 while the handler's peer is away", "handler",
                             hs->name, NULL);
    c->schedule = schedule_new(hs->schedule, err);
    return c->schedule != NULL;
}

static void workers_free(struct workers *w)
{
    for (size_t i = w->count; i-- > 0;) /* a head before the tail that it is beside */
        lane_free(w->items[i].lane);
    for (size_t i = 0; i < w->crew_count; i++)
        schedule_free(w->crews[i].schedule);
    free(w->items);
    free(w->crews);
    free(w);
}

/* Whatever the handler's schedule, what somebody waits for is done at once. */
static bool open_head(struct workers *w, struct crew *c, struct lane *tail, const struct settings *s, struct stop *stop,
                      struct error *err)
{
    struct worker *one = &w->items[w->count];

    *one = (struct worker){.settings = s, .crew = c, .stop = stop, .head = true};
    one->lane = lane_new_head(tail, err);
    w->count += one->lane != NULL;
    return one->lane != NULL;
}

static bool open_lanes(struct workers *w, struct crew *c, const struct settings *s, const char *process,
                       struct stop *stop, struct error *err)
{
    for (int number = 0; number < (int)c->common->parallel; number++) {
        struct worker *one = &w->items[w->count];

        *one = (struct worker){.settings = s, .crew = c, .stop = stop, .number = number};
        one->lane = lane_new(s, c->common, process, number, err);
        if (!one->lane)
            return false;
        w->count++;
    }
    return open_head(w, c, w->items[w->count - 1].lane, s, stop, err);
}

/* Those that run by the clock are in clock_workers. */
static bool takes_events(const struct handler_settings *hs)
{
    return !(hs->kind->traits & KIND_CLOCK);
}

struct workers *workers_start(const struct settings *s, const char *process, struct stop *stop, struct error *err)
{
    struct workers *w = xcalloc(1, sizeof *w);
    size_t lanes = 0;
    bool ok = true;

    for (size_t i = 0; i < s->handler_count; i++)
        lanes += takes_events(&s->handlers[i]) ? (size_t)s->handlers[i].parallel + 1 : 0;
    w->crews = xcalloc(s->handler_count + 1, sizeof *w->crews);
    w->items = xcalloc(lanes + 1, sizeof *w->items);
    for (size_t i = 0; ok && i < s->handler_count; i++) {
        struct crew *crew = &w->crews[w->crew_count];

        if (!takes_events(&s->handlers[i]))
            continue;
        w->crew_count++;
        ok = crew_open(crew, &s->handlers[i], err) && open_lanes(w, crew, s, process, stop, err);
    }
    if (!ok) {
        workers_free(w);
        return NULL;
    }
    for (size_t i = 0; i < w->count; i++)
        pthread_create(&w->items[i].thread, NULL, worker_main, &w->items[i]);
    return w;
}

int64_t workers_longest_pass_ms(struct workers *w)
{
    int64_t now_ms = clock_monotonic_ms(), longest = 0;

    for (size_t i = 0; i < w->count; i++) {
        int64_t since_ms = atomic_load(&w->items[i].since_ms);

        if (since_ms && now_ms - since_ms > longest)
            longest = now_ms - since_ms;
    }
    return longest;
}

void workers_join(struct workers *w)
{
    for (size_t i = 0; i < w->count; i++)
        pthread_join(w->items[i].thread, NULL);
    workers_free(w);
}
