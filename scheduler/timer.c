#include "scheduler/timer.h"

#include "base/clock.h"

/* A machine whose clock was further ahead than this was wrong: what it noted must not hold up runs until that day. */
#define BELIEVED_AHEAD_US (US_PER_SECOND * 3600 * 25)

static int64_t new_jitter_ms(const struct timer *t)
{
    return t->jitter_ms > 0 ? (int64_t)random_below((uint64_t)t->jitter_ms + 1) : 0;
}

static bool slot_between(const struct schedule *s, int64_t after_us, int64_t until_us)
{
    int64_t next_us = schedule_next_us(s, after_us);

    return next_us >= 0 && next_us <= until_us;
}

/* The last slot after `after_us` and not after `until_us`; -1: there is none. Halving, as there may be very many. */
static int64_t last_slot_us(const struct schedule *s, int64_t after_us, int64_t until_us)
{
    if (!slot_between(s, after_us, until_us))
        return -1;
    while (until_us - after_us > 1) {
        int64_t middle_us = after_us + (until_us - after_us) / 2;

        if (slot_between(s, middle_us, until_us))
            after_us = middle_us;
        else
            until_us = middle_us;
    }
    return until_us;
}

/* Works out the slot that comes next; those missed by wall_us are passed over, but for the one that catching up runs.
 */
static void plan_slot(struct timer *t, int64_t wall_us)
{
    int64_t missed_us = last_slot_us(t->schedule, t->last_us, wall_us);

    if (missed_us >= 0 && t->catch_up == CATCH_UP_ONE) {
        t->slot_us = missed_us;
        return;
    }
    if (missed_us >= 0)
        t->last_us = missed_us;
    t->slot_us = schedule_next_us(t->schedule, t->last_us);
}

void timer_start(struct timer *t, const struct schedule *s, enum catch_up catch_up, int64_t jitter_ms, int64_t last_us,
                 int64_t wall_us, int64_t monotonic_ms)
{
    bool known = last_us > 0 && last_us <= wall_us + BELIEVED_AHEAD_US;

    *t = (struct timer){.schedule = s, .catch_up = catch_up, .jitter_ms = jitter_ms};
    t->due_ms = monotonic_ms;
    t->last_us = known ? last_us : wall_us;
    if (schedule_kind(s) == SCHEDULE_CRON)
        plan_slot(t, wall_us);
    t->offset_ms = new_jitter_ms(t);
}

int64_t timer_wait_ms(const struct timer *t, int64_t wall_us, int64_t monotonic_ms)
{
    int64_t wait_us = 0;

    switch (schedule_kind(t->schedule)) {
    case SCHEDULE_AT_ONCE:
        return 0;
    case SCHEDULE_EVERY:
        wait_us = (t->due_ms + t->offset_ms - monotonic_ms) * 1000;
        break;
    case SCHEDULE_CRON:
        if (t->slot_us < 0)
            return INT64_MAX;
        wait_us = t->slot_us + t->offset_ms * 1000 - wall_us;
        break;
    }
    return wait_us > 0 ? (wait_us + 999) / 1000 : 0; /* rounded up: never before its time */
}

/* The runs of an interval are due on a grid, however long each takes. */
static void plan_interval(struct timer *t, int64_t monotonic_ms)
{
    int64_t interval_ms = schedule_interval_ms(t->schedule), passed;

    if (monotonic_ms < t->due_ms)
        return; /* a run out of turn */
    passed = (monotonic_ms - t->due_ms) / interval_ms;
    if (passed == 0 || t->catch_up == CATCH_UP_NONE)
        passed++;
    t->due_ms += passed * interval_ms;
}

void timer_ran(struct timer *t, int64_t wall_us, int64_t monotonic_ms)
{
    switch (schedule_kind(t->schedule)) {
    case SCHEDULE_AT_ONCE:
        return;
    case SCHEDULE_EVERY:
        plan_interval(t, monotonic_ms);
        break;
    case SCHEDULE_CRON:
        if (t->slot_us < 0)
            return;
        t->last_us = t->slot_us;
        plan_slot(t, wall_us);
        break;
    }
    t->offset_ms = new_jitter_ms(t);
}
