/* tests/bench/measure.h - what every measurement does: it tells the time, ranks its figures, and gives up aloud. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* For redis_server_start. Redis rewrites its append-only file whenever it likes, for seconds: here it does not, so that
 * runs can be compared. */
extern const char *const measure_redis_arguments[];

/* Ends the program with a line that names it. */
_Noreturn void measure_failed(const char *what, const char *why);

double measure_seconds_since(int64_t start_us); /* of clock_wall_us */

/* Sorts them. part: 0.5 is the median, 1 the largest. Of none: 0. */
double measure_quantile(double *values, size_t count, double part);

#endif
