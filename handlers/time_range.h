/*
 * handlers/time_range.h - from when to when: what the verbs about statistics take as --from and --to, in UTC.
 */
#ifndef HANDLERS_TIME_RANGE_H
#define HANDLERS_TIME_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"

/* In microseconds; to_us is the first that is beyond it. */
struct time_range {
    int64_t from_us, to_us;
};

extern const struct time_range time_range_all;

/* "2026-10-01": the time from its start to its end; also a year, a month, an hour, or a moment (RFC 3339), which has no
 * length. */
bool time_range_parse(const char *text, struct time_range *out, struct error *err) must_check;

/* From the start of the one to the end of the other; NULL: no bound. */
bool time_range_between(const char *from, const char *to, struct time_range *out, struct error *err) must_check;

#endif
