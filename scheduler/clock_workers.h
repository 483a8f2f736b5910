/*
 * scheduler/clock_workers.h - the handlers that run by the clock, a thread each, on their schedules; and what those of
 * events left for later (KIND_LATER), every other second.
 *
 * A handler whose peer is away pauses with a growing, jittered delay; the others do not notice.
 */
#ifndef SCHEDULER_CLOCK_WORKERS_H
#define SCHEDULER_CLOCK_WORKERS_H

#include "base/attrs.h"
#include "base/error.h"
#include "base/stop.h"
#include "config/settings.h"

struct clock_workers;

/* NULL: ERROR_CONFIG, and nothing was started. */
struct clock_workers *clock_workers_start(const struct settings *s, const char *process, struct stop *stop,
                                          struct error *err) must_check;

/* Waits for the threads; the stop must have been raised. */
void clock_workers_join(struct clock_workers *w);

#endif
