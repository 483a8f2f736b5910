#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

int64_t clock_wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Days since 1970-01-01 of a Gregorian date, by counting years from March (Fliegel and Van Flandern, CACM 1968). */
static int64_t days_from_date(int64_t year, int month, int day)
{
    int64_t era, year_of_era, day_of_year;

    year -= month <= 2;
    era = year / 400;
    year_of_era = year - era * 400;
    day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void time_calendar(int64_t us, struct calendar *out)
{
    int64_t seconds = us / US_PER_SECOND - (us % US_PER_SECOND < 0);
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    int64_t second_of_day = seconds - days * 86400;
    int64_t z = days + 719468, era = z / 146097, day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;

    out->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    out->month = (int)(month < 10 ? month + 3 : month - 9);
    out->year = (int)(year_of_era + era * 400 + (out->month <= 2));
    out->hour = (int)(second_of_day / 3600);
    out->minute = (int)(second_of_day / 60 % 60);
    out->second = (int)(second_of_day % 60);
    out->weekday = (int)(((days + 4) % 7 + 7) % 7);
}

int64_t time_from_calendar(const struct calendar *c)
{
    int64_t days = days_from_date(c->year, c->month, c->day);

    return ((days * 24 + c->hour) * 60 + c->minute) * 60 * US_PER_SECOND + c->second * US_PER_SECOND;
}

#define YEAR_10000_US (INT64_C(253402300800) * US_PER_SECOND)

/* Exactly `digits` digits at *at as a number from low to high; moves *at on. */
static bool digits(const char **at, const char *end, int count, int low, int high, int *out)
{
    int number = 0;

    if (end - *at < count)
        return false;
    for (int i = 0; i < count; i++) {
        char c = (*at)[i];

        if (c < '0' || c > '9')
            return false;
        number = number * 10 + (c - '0');
    }
    *at += count;
    *out = number;
    return number >= low && number <= high;
}

static bool one_of(const char **at, const char *end, const char *set)
{
    if (*at == end || !**at || !strchr(set, **at))
        return false;
    ++*at;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

/* ".123456789" to microseconds; nothing there is zero. */
static bool fraction(const char **at, const char *end, int64_t *us)
{
    int64_t unit = US_PER_SECOND;
    int count = 0;

    *us = 0;
    if (*at == end || **at != '.')
        return true;
    for (++*at; *at < end && **at >= '0' && **at <= '9'; ++*at, count++) {
        unit /= 10;
        *us += (**at - '0') * unit;
    }
    return count >= 1 && count <= 9;
}

static bool offset(const char **at, const char *end, bool optional, int64_t *minutes)
{
    int hours, rest, sign;

    *minutes = 0;
    if (*at == end)
        return optional;
    if (one_of(at, end, "Zz"))
        return true;
    sign = **at == '-' ? -1 : 1;
    if (!one_of(at, end, "+-") || !digits(at, end, 2, 0, 23, &hours) || !one_of(at, end, ":") ||
        !digits(at, end, 2, 0, 59, &rest))
        return false;
    *minutes = sign * (hours * 60 + rest);
    return true;
}

bool time_parse(const char *text, size_t length, bool offset_optional, int64_t *us)
{
    const char *at = text, *end = text + length;
    struct calendar c = {0};
    int64_t part, minutes;

    if (!digits(&at, end, 4, 1970, 9999, &c.year) || !one_of(&at, end, "-") || !digits(&at, end, 2, 1, 12, &c.month) ||
        !one_of(&at, end, "-") || !digits(&at, end, 2, 1, days_in_month(c.year, c.month), &c.day) ||
        !one_of(&at, end, "Tt ") || !digits(&at, end, 2, 0, 23, &c.hour) || !one_of(&at, end, ":") ||
        !digits(&at, end, 2, 0, 59, &c.minute) || !one_of(&at, end, ":") || !digits(&at, end, 2, 0, 60, &c.second) ||
        !fraction(&at, end, &part) || !offset(&at, end, offset_optional, &minutes) || at != end)
        return false;
    *us = time_from_calendar(&c) + part - minutes * 60 * US_PER_SECOND;
    return *us >= 0 && *us < YEAR_10000_US;
}

static char *put_digits(char *at, int number, int count)
{
    for (int i = count; i-- > 0; number /= 10)
        at[i] = (char)('0' + number % 10);
    return at + count;
}

/* To the second. */
static char *put_time(char *at, int64_t us)
{
    struct calendar c;

    time_calendar(us, &c);
    at = put_digits(at, c.year, 4);
    *at++ = '-';
    at = put_digits(at, c.month, 2);
    *at++ = '-';
    at = put_digits(at, c.day, 2);
    *at++ = 'T';
    at = put_digits(at, c.hour, 2);
    *at++ = ':';
    at = put_digits(at, c.minute, 2);
    *at++ = ':';
    return put_digits(at, c.second, 2);
}

static char *put_part(char *at, int64_t us)
{
    *at++ = '.';
    return put_digits(at, (int)(us % US_PER_SECOND), 6);
}

const char *time_text(int64_t us, char out[TIME_TEXT_BYTES])
{
    char *at = put_time(out, us);

    if (us % US_PER_SECOND > 0)
        at = put_part(at, us);
    *at++ = 'Z';
    *at = '\0';
    return out;
}

const char *time_text_long(int64_t us, char out[TIME_TEXT_BYTES])
{
    strcpy(put_part(put_time(out, us), us), "+00:00");
    return out;
}

size_t time_format(int64_t us, const char *format, char *out, size_t size)
{
    time_t seconds = (time_t)(us / US_PER_SECOND);
    struct tm parts;

    gmtime_r(&seconds, &parts);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the format comes from the configuration, checked there */
    return strftime(out, size, format, &parts);
#pragma GCC diagnostic pop
}

static atomic_uint_fast64_t random_state;

/* Different in every process, or all that start together would also pause and come back together. */
static void seed_random(void)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint64_t)clock_wall_us() ^ (uint64_t)getpid() << 40;
    atomic_store(&random_state, seed);
}

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) on a shared counter. */
uint64_t random_below(uint64_t limit)
{
    static pthread_once_t seeded = PTHREAD_ONCE_INIT;
    uint64_t z;

    pthread_once(&seeded, seed_random);
    z = atomic_fetch_add(&random_state, UINT64_C(0x9e3779b97f4a7c15)) + UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return limit ? (z ^ (z >> 31)) % limit : 0;
}
