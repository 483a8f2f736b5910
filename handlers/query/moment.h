/*
 * handlers/query/moment.h - a point in time as people and Python write it: 2026-11-20, 2026-11-20T21:40, 2026-11-20
 * 21:40:00.5+01:00; without offset in UTC.
 */
#ifndef HANDLERS_QUERY_MOMENT_H
#define HANDLERS_QUERY_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"

enum { MOMENT_TEXT_BYTES = 48 };

struct moment {
    int64_t us;
    bool whole_day;               /* no time of day was given: us is its start */
    char text[MOMENT_TEXT_BYTES]; /* as Python's isoformat would write it */
};

/* False: no such time, or before 1970. */
bool moment_parse(const char *text, struct moment *out) must_check;

#endif
