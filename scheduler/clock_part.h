/*
 * scheduler/clock_part.h - the part of `crier serve` that runs by the clock: this process says that it lives, and one
 * process of all, the holder of the lease, does the jobs that must not be done twice at once.
 */
#ifndef SCHEDULER_CLOCK_PART_H
#define SCHEDULER_CLOCK_PART_H

#include "base/stop.h"
#include "config/settings.h"

struct clock_part;

/* jobs: whether this process takes part in leading; it says that it lives in any case. */
struct clock_part *clock_part_start(const struct settings *s, const char *process, bool jobs, struct stop *stop);
void clock_part_join(struct clock_part *c);

#endif
