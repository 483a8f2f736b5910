#include "handlers/mail/mail_schedule.h"

#include "base/attrs.h"
#include "base/clock.h"

int64_t mail_delay_us(int tries)
{
    static const int64_t first_s[] = {0, 60, 5 * 60, 15 * 60, 30 * 60, 3600, 2 * 3600, 4 * 3600};
    int64_t tenth_us;

    if (tries >= MAIL_TRIES_MOST)
        return -1;
    tenth_us =
        first_s[tries < (int)ARRAY_LENGTH(first_s) ? tries : (int)ARRAY_LENGTH(first_s) - 1] * US_PER_SECOND / 10;
    return 9 * tenth_us + (int64_t)random_below((uint64_t)(2 * tenth_us) + 1);
}
