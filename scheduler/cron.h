/*
 * scheduler/cron.h - the five fields of a crontab line: which minutes of the calendar match.
 *
 * Minutes are counted from 1970-01-01 00:00 as the wall clock of some place shows them; which moment that is,
 * base/zone.h knows.
 */
#ifndef SCHEDULER_CRON_H
#define SCHEDULER_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"

/* Bit n of a set: the value n matches. */
struct cron {
    uint64_t minutes, hours, days, months, weekdays;
    bool every_day, every_weekday; /* the field is "*": it leaves the choice to the other one */
};

/* Reads five words from *at and moves it behind them. ERROR_CONFIG names the field and what it may hold. */
bool cron_parse(const char **at, struct cron *out, struct error *err) must_check;

/* The first matching minute after a minute. False: there is none (30 February). */
bool cron_next(const struct cron *c, int64_t after, int64_t *next) must_check;

#endif
