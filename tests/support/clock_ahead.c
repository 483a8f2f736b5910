#include "support/clock_ahead.h"

#include <stdatomic.h>

#include "base/clock.h"

int64_t __real_clock_wall_us(void);
int64_t __wrap_clock_wall_us(void);

static atomic_int_fast64_t ahead_us;

int64_t __wrap_clock_wall_us(void)
{
    return __real_clock_wall_us() + atomic_load(&ahead_us);
}

void clock_ahead_set(int64_t us)
{
    atomic_store(&ahead_us, us);
}

void clock_ahead_by(int64_t us)
{
    atomic_fetch_add(&ahead_us, us);
}

void clock_ahead_to_noon(void)
{
    const int64_t day_us = MS_PER_DAY * 1000;

    clock_ahead_set(day_us / 2 - __real_clock_wall_us() % day_us);
}
