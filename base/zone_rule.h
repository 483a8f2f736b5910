/*
 * base/zone_rule.h - "CET-1CEST,M3.5.0,M10.5.0/3": what a place's clock shows in the years that no table lists.
 *
 * The TZ text of POSIX with the wider hours of RFC 8536 (3.3.1).
 */
#ifndef BASE_ZONE_RULE_H
#define BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

/* A time in which the distance to UTC stays the same: from begin_s on, before end_s (INT64_MIN and MAX: for ever). */
struct zone_period {
    int64_t begin_s, end_s;
    int32_t offset_s; /* east of UTC */
};

/* One change in each year, at local_s after the midnight that begins the day. */
struct zone_change {
    char kind; /* 'M': weekday of a week of a month; 'J': day 1 to 365, 29 February not counted; 'n': day 0 to 365 */
    int month, week, day;
    int32_t local_s;
};

struct zone_rule {
    int32_t standard_s, summer_s; /* east of UTC */
    bool has_summer;
    struct zone_change to_summer, to_standard;
};

bool zone_rule_parse(const char *text, size_t length, struct zone_rule *out) must_check;
struct zone_period zone_rule_period(const struct zone_rule *rule, int64_t utc_s);

#endif
