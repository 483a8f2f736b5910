/* scheduler/ran.h - when a handler on a cron schedule ran last, kept in Redis over restarts. */
#ifndef SCHEDULER_RAN_H
#define SCHEDULER_RAN_H

#include <stdint.h>

#include "config/settings.h"

/* Wall time in microseconds; 0: not known. */
int64_t ran_last_us(const struct settings *s, const struct handler_settings *hs);
void ran_note(const struct settings *s, const struct handler_settings *hs, int64_t slot_us);

#endif
