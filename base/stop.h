/*
 * base/stop.h - the one thing that threads share to end together, and to be woken early.
 *
 * Signals are blocked in every thread; main waits for them and raises the stop.
 */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>

struct stop;

struct stop *stop_new(void);
void stop_free(struct stop *s);
void stop_raise(struct stop *s);
bool stop_wanted(struct stop *s);

/* Sleeps on the monotonic clock; a stop ends it at once. True: a stop is wanted. */
bool stop_sleep(struct stop *s, int64_t ms);

#endif
