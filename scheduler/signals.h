/*
 * scheduler/signals.h - signals as ordinary input of the main thread: SIGTERM and SIGINT end the service, SIGHUP has it
 * take its configuration anew, or ends it where it comes of a terminal that is closed. There are no signal handlers.
 */
#ifndef SCHEDULER_SIGNALS_H
#define SCHEDULER_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/* Before the first thread, so that all inherit it; it is known from then on whether there is a terminal. */
void signals_block(void);

/* Waits for one of them, at most ms; 0: none came. */
int signals_wait(int64_t ms);

/* Whether the service is to end by what signals_wait returned. */
bool signals_end(int signal);

/* Ends the main thread's waiting, with SIGHUP; one that nobody waited for must not be the next service's. */
void signals_wake(void);
void signals_forget_wake(void);

#endif
