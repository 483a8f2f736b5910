/*
 * scheduler/long_work.h - an operator's verb at long work: its progress, its early end by Ctrl-C, and, where only one
 * process may be at it, a lease.
 */
#ifndef SCHEDULER_LONG_WORK_H
#define SCHEDULER_LONG_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/progress.h"
#include "base/redis.h"
#include "handlers/handler.h"
#include "scheduler/lease.h"

struct long_work {
    struct clock_run run; /* first: what the work gets is this */
    struct progress progress;
    struct redis *redis; /* NULL: no lease is needed */
    struct lease lease;
    int64_t renewed_ms;
    char name[128], holder[64];
};

/* total as for progress_start. SIGINT and SIGTERM end the work at its next may_go_on. */
void long_work_start(struct long_work *w, const char *what, int64_t total, bool quiet);

/* Takes the lease of that name; false (ERROR_AGAIN) where another process holds it. The link is lent. */
bool long_work_lease(struct long_work *w, struct redis *r, const char *name, struct error *err) must_check;
void long_work_end(struct long_work *w);

#endif
