/*
 * scheduler/signals.h - signals as ordinary input of the main thread: SIGTERM and SIGINT end the service, SIGHUP has it
 * take its configuration anew. There are no signal handlers.
 */
#ifndef SCHEDULER_SIGNALS_H
#define SCHEDULER_SIGNALS_H

#include <stdint.h>

/* Before the first thread, so that all inherit it. */
void signals_block(void);

/* Waits for one of them, at most ms; 0: none came. */
int signals_wait(int64_t ms);

/* Ends the main thread's waiting, with SIGHUP; one that nobody waited for must not be the next service's. */
void signals_wake(void);
void signals_forget_wake(void);

#endif
