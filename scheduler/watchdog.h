/* scheduler/watchdog.h - systemd's watchdog while the main thread waits: a wait for something else is no standstill. */
#ifndef SCHEDULER_WATCHDOG_H
#define SCHEDULER_WATCHDOG_H

#include <stdint.h>

/* How often it wants to hear from us, with time to spare; a minute where there is none. */
int64_t watchdog_every_ms(void);
void watchdog_feed(void);

/* As signals_wait, and feeds it until then. */
int watchdog_wait(int64_t ms);

#endif
