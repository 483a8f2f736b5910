/*
 * scheduler/schedule.h - when something runs: `every 10s`, `cron 0 3 * * * [ZONE]`, `at once`.
 *
 * Intervals count on the monotonic clock. Cron has five fields (minute hour day-of-month month day-of-week; lists,
 * ranges, steps, names), in UTC or a zone of the system's tz database. A time that a change to summer time skips runs
 * once, at the moment of the change; one that is repeated runs once, the first time. Day-of-month and day-of-week both
 * restricted: either is enough (POSIX crontab).
 */
#ifndef SCHEDULER_SCHEDULE_H
#define SCHEDULER_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"

enum schedule_kind { SCHEDULE_EVERY, SCHEDULE_CRON, SCHEDULE_AT_ONCE };

struct schedule;

struct schedule *schedule_new(const char *text, struct error *err) must_check; /* NULL: ERROR_CONFIG */
void schedule_free(struct schedule *s);
bool schedule_check(const char *text, struct error *err); /* for configuration rows */
enum schedule_kind schedule_kind(const struct schedule *s);
int64_t schedule_interval_ms(const struct schedule *s); /* of EVERY, else 0 */

/* The first cron time after a wall time, in microseconds; -1: never (30 February). */
int64_t schedule_next_us(const struct schedule *s, int64_t after_us);

#endif
