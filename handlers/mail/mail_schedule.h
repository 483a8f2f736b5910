/* handlers/mail/mail_schedule.h - when a mail that did not come through is tried again (RFC 5321 §4.5.4.1). */
#ifndef HANDLERS_MAIL_MAIL_SCHEDULE_H
#define HANDLERS_MAIL_MAIL_SCHEDULE_H

#include <stdint.h>

enum { MAIL_TRIES_MOST = 36 };

/* After so many failed tries: 1, 5, 15, 30 minutes, 1, 2, 4 hours, then every 4 hours up to five days in all, each up
 * to a tenth shorter or longer. -1: none follows. */
int64_t mail_delay_us(int tries);

#endif
