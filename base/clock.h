/*
 * base/clock.h - the two clocks, and time as text (RFC 3339).
 *
 * Wall time is microseconds since 1970-01-01T00:00:00Z; it may jump. Intervals are measured on the monotonic clock.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"

int64_t clock_wall_us(void);
int64_t clock_monotonic_ms(void);

enum { TIME_TEXT_BYTES = 40 };

#define US_PER_SECOND INT64_C(1000000)
#define MS_PER_DAY    INT64_C(86400000)

/*
 * RFC 3339 with any offset and up to 9 digits of a second (cut to microseconds), years 1970 to 9999; a leap second
 * counts as the second after it. With offset_optional a time without offset is taken as UTC, as Python's isoformat
 * writes it. False: no such time.
 */
bool time_parse(const char *text, size_t length, bool offset_optional, int64_t *us) must_check;

/* "2026-11-20T21:40:00.123456Z", without fraction where it is zero; returns out. */
const char *time_text(int64_t us, char out[TIME_TEXT_BYTES]);

/* "2026-11-20T21:40:00.123456+00:00", always with microseconds; returns out. */
const char *time_text_long(int64_t us, char out[TIME_TEXT_BYTES]);

/* strftime in UTC; returns the bytes written, 0 where they do not fit. */
size_t time_format(int64_t us, const char *format, char *out, size_t size);

/* Calendar fields of a UTC time, as gmtime has them but for year (full) and month (1 to 12). */
struct calendar {
    int year, month, day, hour, minute, second, weekday;
};
void time_calendar(int64_t us, struct calendar *out);
int64_t time_from_calendar(const struct calendar *c);

/* Evenly spread in [0, limit); for jitter, not for secrets. */
uint64_t random_below(uint64_t limit);

#endif
