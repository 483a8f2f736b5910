#include "handlers/report/report_month.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

enum { YEAR_LEAST = 1970, YEAR_MOST = 9998 }; /* the month after it has a start, too */

bool month_parse(const char *text, int *month, struct error *err)
{
    size_t length = strlen(text);
    int64_t year, number;

    if (length == 7 && text[4] == '-' && strspn(text, "0123456789") == 4 && strspn(text + 5, "0123456789") == 2 &&
        text_int(text, 4, &year) && text_int(text + 5, 2, &number) && year >= YEAR_LEAST && year <= YEAR_MOST &&
        number >= 1 && number <= 12) {
        *month = (int)(year * 12 + number - 1);
        return true;
    }
    return error_set(err, ERROR_INPUT, "\"%.40s\" is no month; it is written as in 2026-10", text);
}

int month_of(int64_t time_us)
{
    struct calendar c;

    time_calendar(time_us, &c);
    return c.year * 12 + c.month - 1;
}

int64_t month_start_us(int month)
{
    struct calendar c = {.year = month / 12, .month = month % 12 + 1, .day = 1};

    return time_from_calendar(&c);
}

const char *month_text(int month, char out[MONTH_TEXT_BYTES])
{
    time_format(month_start_us(month), "%Y-%m", out, MONTH_TEXT_BYTES);
    return out;
}

const char *month_title(int month, char out[MONTH_TITLE_BYTES])
{
    static const char names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

    memcpy(out, names[month % 12], 3);
    time_format(month_start_us(month), "-%Y", out + 3, MONTH_TITLE_BYTES - 3);
    return out;
}

const char *month_first_day(int month, char out[DAY_TEXT_BYTES])
{
    return day_text(month_start_us(month), out);
}

const char *month_last_day(int month, char out[DAY_TEXT_BYTES])
{
    return day_text(month_start_us(month + 1) - 1, out);
}

const char *day_text(int64_t time_us, char out[DAY_TEXT_BYTES])
{
    time_format(time_us, "%Y-%m-%d", out, DAY_TEXT_BYTES);
    return out;
}
