/*
 * handlers/mail/mail_period.h - when the day or the week ends whose events come in one mail: at an hour of a place.
 *
 * A time that a change to summer time skips ends at the moment of the change; of one that is repeated the first counts.
 * Constant once made: any number of threads.
 */
#ifndef HANDLERS_MAIL_MAIL_PERIOD_H
#define HANDLERS_MAIL_MAIL_PERIOD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/mail/mail_preferences.h"

struct mail_period;

/* at: "07:00"; weekday: of weekly mails, 0: Sunday; zone: "UTC", or as the system's tz database has it. NULL:
 * ERROR_CONFIG. */
struct mail_period *mail_period_new(const char *at, int weekday, const char *zone, struct error *err) must_check;
void mail_period_free(struct mail_period *p); /* NULL is fine */

/* The first end of a day or, with MAIL_WEEKLY, of a week that comes after a moment; microseconds since 1970. */
int64_t mail_period_end_us(const struct mail_period *p, enum mail_frequency frequency, int64_t after_us);

bool mail_period_at_check(const char *at, struct error *err); /* for configuration rows, as that which follows */
bool mail_period_zone_check(const char *zone, struct error *err);

#endif
