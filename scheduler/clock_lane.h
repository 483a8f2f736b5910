/*
 * scheduler/clock_lane.h - a handler that runs by the clock (KIND_CLOCK): one run at a time, in whatever process.
 *
 * Each such handler has a lease of its own, held only while it runs, so that several services take turns and an
 * operator's verb gets its turn too. A thread renews the lease; a run that lost it, or is to stop, hears so at its next
 * clock_run.may_go_on. One thread at a time.
 */
#ifndef SCHEDULER_CLOCK_LANE_H
#define SCHEDULER_CLOCK_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/stop.h"
#include "config/settings.h"
#include "handlers/handler.h"

/* What is done while nobody else can do it: the handler's own run where it is left out. */
typedef bool (*clock_work)(struct handler *h, struct clock_run *run, void *context, struct error *err);

struct clock_lane;

/* process: no other has the same name. NULL: ERROR_CONFIG. */
struct clock_lane *clock_lane_new(const struct settings *s, const struct handler_settings *hs, const char *process,
                                  struct stop *stop, struct error *err) must_check;
void clock_lane_free(struct clock_lane *l); /* NULL is fine */

/* Called with what clock_run.did says, for progress. */
void clock_lane_watch(struct clock_lane *l, void (*did)(void *context, int64_t items), void *context);

/*
 * Takes the lease, waiting up to wait_ms for it, and does the work. True with *elsewhere: another process is at it.
 * False: a peer is away, the lease was lost or a stop is wanted (ERROR_AGAIN), or what the work itself says.
 */
bool clock_lane_work(struct clock_lane *l, int64_t wait_ms, clock_work work, void *context, bool *elsewhere,
                     struct error *err) must_check;

/* The handler's own run; the audit hears of it (scheduler/run_tally.h). */
bool clock_lane_run(struct clock_lane *l, int64_t wait_ms, bool *elsewhere, struct error *err) must_check;

/* The audit hears at once of runs that it has not yet heard of; after the last. */
void clock_lane_tell(struct clock_lane *l);

/*
 * For verbs: one piece of work (NULL: the handler's run) by a lane made for it; waits up to wait_ms for its turn, else
 * fails and says who is at it. did may be NULL.
 */
bool clock_run_once(const struct settings *s, const struct handler_settings *hs, int64_t wait_ms, clock_work work,
                    void *work_context, void (*did)(void *context, int64_t items), void *did_context,
                    struct error *err) must_check;

#endif
