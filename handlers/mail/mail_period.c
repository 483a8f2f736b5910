#include "handlers/mail/mail_period.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/zone.h"

enum { DAY_S = 86400, DAYS_LOOKED_AT = 9 };

struct mail_period {
    int64_t at_s; /* after midnight, by the place's clocks */
    int weekday;
    struct zone *zone; /* NULL: UTC */
};

static bool at_read(const char *at, int64_t *at_s)
{
    int64_t hour, minute;

    if (strlen(at) != 5 || at[2] != ':' || strspn(at, "0123456789") != 2 || strspn(at + 3, "0123456789") != 2)
        return false;
    if (!text_int(at, 2, &hour) || !text_int(at + 3, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *at_s = hour * 3600 + minute * 60;
    return true;
}

bool mail_period_at_check(const char *at, struct error *err)
{
    int64_t at_s;

    return at_read(at, &at_s) || error_set(err, ERROR_CONFIG, "a time of day from 00:00 to 23:59, as 07:00");
}

static bool is_utc(const char *zone)
{
    return text_same(zone, "UTC");
}

bool mail_period_zone_check(const char *zone, struct error *err)
{
    struct zone *z = is_utc(zone) ? NULL : zone_new(ZONE_FOLDER, zone, err);
    bool ok = z || is_utc(zone);

    zone_free(z);
    return ok;
}

struct mail_period *mail_period_new(const char *at, int weekday, const char *zone, struct error *err)
{
    struct mail_period *p = xcalloc(1, sizeof *p);

    p->weekday = weekday;
    if (mail_period_at_check(at, err) && at_read(at, &p->at_s) &&
        (is_utc(zone) || (p->zone = zone_new(ZONE_FOLDER, zone, err))))
        return p;
    mail_period_free(p);
    return NULL;
}

void mail_period_free(struct mail_period *p)
{
    if (!p)
        return;
    zone_free(p->zone);
    free(p);
}

int64_t mail_period_end_us(const struct mail_period *p, enum mail_frequency frequency, int64_t after_us)
{
    int64_t local_s = after_us / US_PER_SECOND + (p->zone ? zone_offset_s(p->zone, after_us / US_PER_SECOND) : 0);
    int64_t midnight_s = local_s - local_s % DAY_S;

    for (int day = -1; day < DAYS_LOOKED_AT; day++) {
        int64_t wanted_s = midnight_s + (int64_t)day * DAY_S + p->at_s;
        int64_t end_us = (p->zone ? zone_utc_s(p->zone, wanted_s) : wanted_s) * US_PER_SECOND;
        struct calendar c;

        time_calendar(wanted_s * US_PER_SECOND, &c);
        if (end_us > after_us && (frequency != MAIL_WEEKLY || c.weekday == p->weekday))
            return end_us;
    }
    return after_us + INT64_C(7) * DAY_S * US_PER_SECOND; /* no calendar lacks a weekday so long */
}
