#include "scheduler/watchdog.h"

#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "scheduler/signals.h"

enum { EVERY_MS = 60000 };

int64_t watchdog_every_ms(void)
{
    uint64_t limit_us = 0;

    return sd_watchdog_enabled(0, &limit_us) > 0 ? (int64_t)(limit_us / 3000) : EVERY_MS;
}

void watchdog_feed(void)
{
    sd_notify(0, "WATCHDOG=1");
}

int watchdog_wait(int64_t ms)
{
    int64_t every_ms = watchdog_every_ms(), until_ms = clock_monotonic_ms() + ms, left_ms = ms;
    int signal;

    do {
        watchdog_feed();
        signal = signals_wait(left_ms < every_ms ? left_ms : every_ms);
    } while (!signal && (left_ms = until_ms - clock_monotonic_ms()) > 0);
    return signal;
}
