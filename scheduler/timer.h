/*
 * scheduler/timer.h - a schedule in use: how long until the next run, and what becomes of missed ones.
 *
 * One owner, one run at a time: the next run is never due before the last one ended. The wall clock may jump: each cron
 * slot runs at most once, and a jump back runs none again.
 */
#ifndef SCHEDULER_TIMER_H
#define SCHEDULER_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "scheduler/schedule.h"

struct timer {
    const struct schedule *schedule;
    enum catch_up catch_up;
    int64_t jitter_ms;
    int64_t due_ms;    /* EVERY: monotonic */
    int64_t slot_us;   /* CRON: the slot that comes next */
    int64_t last_us;   /* CRON: the last slot that ran or was passed over; 0: none yet */
    int64_t offset_ms; /* the jitter of the next run */
};

/* last_us: the last slot that ran, as an earlier process noted it; 0: not known, nothing was missed. */
void timer_start(struct timer *t, const struct schedule *s, enum catch_up catch_up, int64_t jitter_ms, int64_t last_us,
                 int64_t wall_us, int64_t monotonic_ms);

/* Milliseconds until the next run; 0: now. */
int64_t timer_wait_ms(const struct timer *t, int64_t wall_us, int64_t monotonic_ms);

/* A run has ended: what is next is worked out from now. */
void timer_ran(struct timer *t, int64_t wall_us, int64_t monotonic_ms);

#endif
