#include "handlers/webhook/webhook_schedule.h"

#include "base/clock.h"

static const int64_t asked_most_s = 86400;

int64_t webhook_delay_us(int tries)
{
    static const int64_t delays_s[WEBHOOK_TRIES_MOST] = {0,        5,         5 * 60,    30 * 60,   2 * 3600,
                                                         5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600};
    int64_t tenth_us;

    if (tries >= WEBHOOK_TRIES_MOST)
        return -1;
    tenth_us = delays_s[tries] * US_PER_SECOND / 10;
    return 9 * tenth_us + (int64_t)random_below((uint64_t)(2 * tenth_us) + 1);
}

int64_t webhook_delay_asked_us(int tries, long retry_after_s)
{
    int64_t delay_us = webhook_delay_us(tries);
    int64_t asked_us = (retry_after_s < asked_most_s ? retry_after_s : asked_most_s) * US_PER_SECOND;

    return delay_us < 0 || delay_us > asked_us ? delay_us : asked_us;
}
