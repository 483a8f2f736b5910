/* handlers/webhook/webhook_schedule.h - when a delivery that failed is tried again, as Standard Webhooks 1.0.0 advises.
 */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_SCHEDULE_H
#define HANDLERS_WEBHOOK_WEBHOOK_SCHEDULE_H

#include <stdint.h>

enum { WEBHOOK_TRIES_MOST = 10 };

/* Of failure without a break, after which a target is turned off. */
#define WEBHOOK_FAILING_US_MOST (INT64_C(120) * 3600 * 1000000)

/* From one try to the next, after so many failed: 5 s, 5 min ... 24 h, each up to a tenth shorter or longer. -1: none
 * follows. */
int64_t webhook_delay_us(int tries);

/* Likewise where the target said in how many seconds it may be asked (-1: it did not): not earlier, at most a day. */
int64_t webhook_delay_asked_us(int tries, long retry_after_s);

#endif
