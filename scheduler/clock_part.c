#include "scheduler/clock_part.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "notifier/deed.h"
#include "notifier/service_event.h"
#include "notifier/stream.h"
#include "scheduler/lease.h"
#include "scheduler/outage.h"
#include "scheduler/schedule.h"
#include "scheduler/timer.h"

enum { ANNOUNCE_EVERY = 3, LOST_EVERY = 30 }; /* renewals of the lease */

struct clock_part {
    const struct settings *settings;
    const char *process;
    bool jobs, announced;
    struct stop *stop;
    struct redis *redis;
    struct lease lease;
    struct counter *leads, *trimmed;
    pthread_t thread;
};

/* ------------------------------------------------------------------------------------------------------- the jobs */

/* For each queue. A job checks the lease's token wherever it writes. A new one is a function and a row below. */
struct job {
    const char *name, *schedule;
    bool (*run)(struct clock_part *c, const struct queue_settings *q, struct error *err);
};

static void add_groups(const struct settings *s, const struct queue_settings *q, struct buf *groups)
{
    for (size_t i = 0; i < s->handler_count; i++)
        if (strcmp(s->handlers[i].queue, q->name) == 0 && !(s->handlers[i].kind->traits & KIND_CLOCK))
            buf_printf(groups, "%s ", s->handlers[i].name);
}

static bool trim_queue(struct clock_part *c, const struct queue_settings *q, struct error *err)
{
    struct buf groups = BUF_INIT;
    int64_t trimmed = 0;
    bool ok;

    add_groups(c->settings, q, &groups);
    ok = stream_trim(c->redis, q->name, groups.data, q->retain_ms, c->lease.token, &trimmed, err);
    counter_add(c->trimmed, trimmed);
    buf_release(&groups);
    return ok;
}

static bool sweep_consumers(struct clock_part *c, const struct queue_settings *q, struct error *err)
{
    return stream_sweep(c->redis, q->name, err);
}

static const struct job jobs[] = {
    {"trim",  "every 5s",  trim_queue     },
    {"sweep", "every 10m", sweep_consumers},
};

/* Deeds of processes that are gone: not of one queue. */
static void tell_lost_deeds(struct clock_part *c, int round)
{
    struct error err;

    if (round % LOST_EVERY == 0 && lease_held(&c->lease) && !deeds_tell_lost(c->settings, c->redis, &err))
        outage_say("deeds that were not ended: %s", err.text);
}

struct job_timer {
    struct schedule *schedule;
    struct timer timer;
};

static void start_timers(struct job_timer timers[])
{
    struct error err;

    for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++) {
        timers[i].schedule = schedule_new(jobs[i].schedule, &err);
        timer_start(&timers[i].timer, timers[i].schedule, CATCH_UP_NONE, 0, 0, clock_wall_us(), clock_monotonic_ms());
    }
}

/* One queue's trouble is not another's. */
static void run_job(struct clock_part *c, const struct job *job)
{
    struct error err;

    for (size_t i = 0; i < c->settings->queue_count && lease_held(&c->lease); i++)
        if (!job->run(c, &c->settings->queues[i], &err))
            outage_say("%s: queue %s: %s", job->name, c->settings->queues[i].name, err.text);
}

static void run_due(struct clock_part *c, struct job_timer timers[])
{
    for (size_t i = 0; i < ARRAY_LENGTH(jobs) && lease_held(&c->lease); i++) {
        if (timer_wait_ms(&timers[i].timer, clock_wall_us(), clock_monotonic_ms()) > 0)
            continue;
        run_job(c, &jobs[i]);
        timer_ran(&timers[i].timer, clock_wall_us(), clock_monotonic_ms());
    }
}

/* ------------------------------------------------------------------------------------------------------ the part */

/* The log says it, and the audit, which takes it where Redis does. */
static void say_lease(struct clock_part *c, const char *type, int64_t token)
{
    struct buf actor = BUF_INIT;
    struct error err;

    buf_printf(&actor, "services/%s", c->process);
    if (!service_event_send(c->settings, c->redis, type, "leases/clock", actor.data,
                            json_pack("{s:I}", "token", (json_int_t)token), &err))
        log_warn("the lease: %s", err.text);
    buf_release(&actor);
}

/* A lease that is given up at a stop is not lost: who leads next says so. */
static void say_leading(struct clock_part *c, int64_t before)
{
    if (before && c->lease.token != before) {
        log_warn("this process does not lead any more (token %lld)", (long long)before);
        say_lease(c, "lease.lost", before);
    }
    if (c->lease.token && c->lease.token != before) {
        log_info("this process leads now (token %lld)", (long long)c->lease.token);
        say_lease(c, "lease.taken", c->lease.token);
    }
}

static void renew(struct clock_part *c, int round)
{
    int64_t before = c->lease.token;
    struct error err = ERROR_INIT;

    if (round % ANNOUNCE_EVERY == 0 || !c->announced)
        c->announced = stream_announce(c->redis, c->process, &err);
    if (!c->announced)
        outage_say("%s", err.text);
    else if (c->jobs && !lease_renew(&c->lease, c->redis, &err))
        outage_say("the lease: %s", err.text);
    counter_set(c->leads, lease_held(&c->lease));
    say_leading(c, before);
}

static void *clock_main(void *context)
{
    struct clock_part *c = context;
    struct job_timer timers[ARRAY_LENGTH(jobs)];
    struct error err;

    start_timers(timers);
    for (int round = 0; !stop_wanted(c->stop); round++) {
        renew(c, round);
        run_due(c, timers);
        tell_lost_deeds(c, round);
        stop_sleep(c->stop, LEASE_RENEW_MS);
    }
    if (lease_held(&c->lease) && !lease_release(&c->lease, c->redis, &err))
        log_debug("%s", err.text);
    for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++)
        schedule_free(timers[i].schedule);
    return NULL;
}

struct clock_part *clock_part_start(const struct settings *s, const char *process, bool with_jobs, struct stop *stop)
{
    struct clock_part *c = xcalloc(1, sizeof *c);

    c->settings = s;
    c->process = process;
    c->jobs = with_jobs;
    c->stop = stop;
    c->redis = settings_redis(s);
    c->lease = (struct lease){.name = "clock", .holder = process};
    c->leads = counter_get(COUNTER_GAUGE, "crier_leads", "1 in the process that holds the lease", NULL);
    c->trimmed = counter_get(COUNTER_TOTAL, "crier_stream_trimmed_total", "entries trimmed from streams", NULL);
    pthread_create(&c->thread, NULL, clock_main, c);
    return c;
}

void clock_part_join(struct clock_part *c)
{
    pthread_join(c->thread, NULL);
    redis_free(c->redis);
    free(c);
}
