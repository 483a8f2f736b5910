#include "base/zone_rule.h"

#include <string.h>

#include "base/clock.h"

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S, HOURS_MOST = 167, OFFSET_HOURS_MOST = 24 };

/* Where reading stands; every reader moves it on and says whether it found what it was to find. */
struct cursor {
    const char *at, *end;
};

static bool taken(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool number(struct cursor *c, int least, int most, int *out)
{
    const char *start = c->at;
    int sum = 0;

    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && sum <= most)
        sum = sum * 10 + (*c->at++ - '0');
    *out = sum;
    return c->at > start && sum >= least && sum <= most;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* "CET" or "<+0330>". */
static bool name(struct cursor *c)
{
    const char *start = c->at;

    if (taken(c, '<')) {
        while (c->at < c->end && *c->at != '>')
            c->at++;
        return taken(c, '>');
    }
    while (c->at < c->end && is_letter(*c->at))
        c->at++;
    return c->at - start >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool duration(struct cursor *c, int hours_most, int32_t *seconds)
{
    int sign = taken(c, '-') ? -1 : 1, hours, minutes = 0, rest = 0;

    if (sign > 0)
        (void)taken(c, '+');
    if (!number(c, 0, hours_most, &hours) || (taken(c, ':') && !number(c, 0, 59, &minutes)) ||
        (taken(c, ':') && !number(c, 0, 59, &rest)))
        return false;
    *seconds = sign * (hours * HOUR_S + minutes * 60 + rest);
    return true;
}

/* POSIX counts west of Greenwich, we count east. */
static bool offset(struct cursor *c, int32_t *east_s)
{
    if (!duration(c, OFFSET_HOURS_MOST, east_s))
        return false;
    *east_s = -*east_s;
    return true;
}

static bool change(struct cursor *c, struct zone_change *out)
{
    bool ok;

    out->local_s = 2 * HOUR_S;
    if (taken(c, 'M')) {
        out->kind = 'M';
        ok = number(c, 1, 12, &out->month) && taken(c, '.') && number(c, 1, 5, &out->week) && taken(c, '.') &&
             number(c, 0, 6, &out->day);
    } else if (taken(c, 'J')) {
        out->kind = 'J';
        ok = number(c, 1, 365, &out->day);
    } else {
        out->kind = 'n';
        ok = number(c, 0, 365, &out->day);
    }
    return ok && (!taken(c, '/') || duration(c, HOURS_MOST, &out->local_s));
}

bool zone_rule_parse(const char *text, size_t length, struct zone_rule *out)
{
    struct cursor c = {text, text + length};

    *out = (struct zone_rule){0};
    if (!name(&c) || !offset(&c, &out->standard_s))
        return false;
    if (c.at == c.end)
        return true;
    out->has_summer = true;
    out->summer_s = out->standard_s + HOUR_S;
    if (!name(&c) || (c.at < c.end && *c.at != ',' && !offset(&c, &out->summer_s)))
        return false;
    return taken(&c, ',') && change(&c, &out->to_summer) && taken(&c, ',') && change(&c, &out->to_standard) &&
           c.at == c.end;
}

static int64_t days_of_date(int year, int month, int day)
{
    return time_from_calendar(&(struct calendar){.year = year, .month = month, .day = day}) / US_PER_SECOND / DAY_S;
}

/* The day of a change as days since 1970. */
static int64_t day_of_change(const struct zone_change *c, int year)
{
    int64_t first, next, day;

    if (c->kind == 'n')
        return days_of_date(year, 1, 1) + c->day;
    if (c->kind == 'J') /* counted from March where 29 February could stand between */
        return c->day < 60 ? days_of_date(year, 1, c->day) : days_of_date(year, 3, 1) + c->day - 60;
    first = days_of_date(year, c->month, 1);
    next = c->month == 12 ? days_of_date(year + 1, 1, 1) : days_of_date(year, c->month + 1, 1);
    day = first + (c->day - (first + 4) % 7 + 7) % 7 + INT64_C(7) * (c->week - 1); /* 1970-01-01 was a Thursday */
    return day < next ? day : day - 7;                                             /* week 5 is the last one */
}

/* A change of one year: from when on, in UTC, which offset holds. */
struct step {
    int64_t at_s;
    int32_t offset_s;
};

/* Keeps the order of steps at the same moment: a year that is summer throughout ends as the next one begins. */
static void add_step(struct step *steps, size_t count, struct step added)
{
    for (; count > 0 && steps[count - 1].at_s > added.at_s; count--)
        steps[count] = steps[count - 1];
    steps[count] = added;
}

struct zone_period zone_rule_period(const struct zone_rule *rule, int64_t utc_s)
{
    struct zone_period period = {INT64_MIN, INT64_MAX, rule->standard_s};
    struct step steps[6];
    struct calendar now;
    size_t count = 0;

    if (!rule->has_summer)
        return period;
    time_calendar(utc_s * US_PER_SECOND, &now);
    for (int year = now.year - 1; year <= now.year + 1; year++) {
        int64_t to_summer = day_of_change(&rule->to_summer, year) * DAY_S + rule->to_summer.local_s;
        int64_t to_standard = day_of_change(&rule->to_standard, year) * DAY_S + rule->to_standard.local_s;
        struct step summer = {to_summer - rule->standard_s, rule->summer_s};
        struct step standard = {to_standard - rule->summer_s, rule->standard_s};

        add_step(steps, count++, summer.at_s < standard.at_s ? summer : standard);
        add_step(steps, count++, summer.at_s < standard.at_s ? standard : summer);
    }
    for (size_t i = 0; i < count; i++) {
        if (steps[i].at_s > utc_s) {
            period.end_s = steps[i].at_s;
            break;
        }
        period.begin_s = steps[i].at_s;
        period.offset_s = steps[i].offset_s;
    }
    return period;
}
