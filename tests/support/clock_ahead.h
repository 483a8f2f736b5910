/*
 * tests/support/clock_ahead.h - wall time as the test wants it, for this process alone: those it starts have the real
 * one.
 *
 * A program that includes this header has its calls of clock_wall_us() come by here (tests/CMakeLists.txt).
 */
#ifndef TESTS_SUPPORT_CLOCK_AHEAD_H
#define TESTS_SUPPORT_CLOCK_AHEAD_H

#include <stdint.h>

void clock_ahead_set(int64_t us); /* of the real time; 0: the clock is right again */
void clock_ahead_by(int64_t us);  /* further than it is; less than 0: back */

/* So that it is noon, and no day ends while the test runs. */
void clock_ahead_to_noon(void);

#endif
