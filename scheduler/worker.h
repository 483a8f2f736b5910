/*
 * scheduler/worker.h - the handlers at work: a thread per lane, on the handler's schedule.
 *
 * A handler whose peer is away pauses with a growing, jittered delay and says so at most once in 10 s; the others do
 * not notice.
 */
#ifndef SCHEDULER_WORKER_H
#define SCHEDULER_WORKER_H

#include "base/attrs.h"
#include "base/error.h"
#include "base/stop.h"
#include "base/text.h"
#include "config/settings.h"

struct workers;

/*
 * Opens every lane, of each handler one more for what somebody waits for, then starts their threads. NULL:
 * ERROR_CONFIG, and nothing was started.
 */
struct workers *workers_start(const struct settings *s, const char *process, struct stop *stop,
                              struct error *err) must_check;

/* Milliseconds since the lane that is longest in a pass began it; 0: none is in one. For the watchdog. */
int64_t workers_longest_pass_ms(struct workers *w);

/* Waits for the threads; the stop must have been raised. */
void workers_join(struct workers *w);

#endif
