/* tests/support/machine.h - a machine with two clocks, of which only the wall clock jumps, and a timer on it. */
#ifndef TESTS_SUPPORT_MACHINE_H
#define TESTS_SUPPORT_MACHINE_H

#include <stdint.h>

#include "base/clock.h"
#include "scheduler/timer.h"

#define HOUR_US (3600 * US_PER_SECOND)
#define DAY_US  (24 * HOUR_US)

enum { HOUR_MS = 3600 * 1000 };

struct machine {
    int64_t wall_us, monotonic_ms;
};

int64_t machine_moment(const char *text);            /* as the wall clock has it */
void machine_pass(struct machine *m, int64_t ms);    /* on both clocks */
struct schedule *machine_schedule(const char *text); /* one that is right; yours to free */

/* timer_start without jitter, timer_wait_ms and timer_ran, by what the machine's clocks show. */
void machine_start(struct timer *t, const struct schedule *s, enum catch_up catch_up, int64_t last_us,
                   const struct machine *m);
int64_t machine_wait_ms(const struct timer *t, const struct machine *m);
void machine_ran(struct timer *t, const struct machine *m);

#endif
