#include "handlers/repair/index_names.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "handlers/aggregate.h"

#define PLACEHOLDER "{time:"

/* ------------------------------------------------------------------------------------------------- the template */

static bool keep(char *out, size_t size, const char *text, size_t length, struct error *err)
{
    if (length >= size)
        return error_set(err, ERROR_INPUT, "\"%.60s\" is too long", text);
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

/* Only fields of the calendar: what they give can be read back, and grows with time. */
static bool check_format(const char *format, struct error *err)
{
    bool year = strstr(format, "%Y") != NULL, month = strstr(format, "%m") != NULL;
    bool day = strstr(format, "%d") != NULL, hour = strstr(format, "%H") != NULL;
    size_t known = (size_t)year + month + day + hour, all = 0;

    for (const char *at = format; *at; at++) {
        all += *at == '%';
        if (strchr("/\\*?\"<>| ,#:{}", *at) || (*at >= 'A' && *at <= 'Z' && (at == format || at[-1] != '%')))
            return error_set(err, ERROR_INPUT, "'%c' cannot stand in the name of an index", *at);
    }
    if (all != known || !year || (day && !month) || (hour && !day))
        return error_set(err, ERROR_INPUT, "\"%s\" is no such suffix: %%Y, %%Y-%%m, %%Y-%%m-%%d and the like", format);
    return true;
}

bool index_names_parse(const char *template, struct index_names *out, struct error *err)
{
    const char *start = strstr(template, PLACEHOLDER), *format = start ? start + strlen(PLACEHOLDER) : NULL;
    const char *end = format ? strchr(format, '}') : NULL;

    if (!end || strpbrk(end + 1, "{}") || strcspn(template, "{}") != (size_t)(start - template))
        return error_set(err, ERROR_INPUT, "index = %s: {time:FORMAT} must be its only placeholder", template);
    return keep(out->before, sizeof out->before, template, (size_t)(start - template), err) &&
           keep(out->format, sizeof out->format, format, (size_t)(end - format), err) &&
           keep(out->after, sizeof out->after, end + 1, strlen(end + 1), err) && check_format(out->format, err);
}

bool index_names_change(const struct index_names *n, const char *format, struct index_names *out, struct error *err)
{
    *out = *n;
    return keep(out->format, sizeof out->format, format, strlen(format), err) && check_format(format, err);
}

/* ---------------------------------------------------------------------------------------------------- its names */

static enum aggregate_interval interval_of(const struct index_names *n)
{
    if (strstr(n->format, "%H"))
        return INTERVAL_HOUR;
    if (strstr(n->format, "%d"))
        return INTERVAL_DAY;
    return strstr(n->format, "%m") ? INTERVAL_MONTH : INTERVAL_YEAR;
}

void index_name_add(const struct index_names *n, int64_t time_us, struct buf *out)
{
    char time[2 * INDEX_FORMAT_BYTES + 8] = "";

    time_format(time_us, n->format, time, sizeof time);
    buf_printf(out, "%s%s%s", n->before, time, n->after);
}

int64_t index_name_next(const struct index_names *n, int64_t start_us)
{
    return aggregate_interval_next(interval_of(n), start_us);
}

int64_t index_name_start(const struct index_names *n, int64_t time_us)
{
    return aggregate_interval_start(interval_of(n), time_us);
}

bool index_name_time(const struct index_names *n, const char *name, int64_t *start_us)
{
    size_t before = strlen(n->before), after = strlen(n->after), length = strlen(name);
    struct tm tm = {.tm_mday = 1};
    struct calendar c;
    struct buf again = BUF_INIT;
    const char *end;
    bool same;

    if (length < before + after || !text_starts(name, n->before) || !text_same(name + length - after, n->after))
        return false;
    end = strptime(name + before, n->format, &tm);
    if (!end || end != name + length - after)
        return false;
    c = (struct calendar){.year = tm.tm_year + 1900, .month = tm.tm_mon + 1, .day = tm.tm_mday, .hour = tm.tm_hour};
    *start_us = time_from_calendar(&c);
    index_name_add(n, *start_us, &again);
    same = text_same(again.data, name);
    buf_release(&again);
    return same;
}

bool index_names_coarser(const struct index_names *from, const struct index_names *to, struct error *err)
{
    if (interval_of(to) > interval_of(from))
        return true;
    return error_set(err, ERROR_INPUT,
                     "\"%s\" is not coarser than \"%s\": an old name could then not stand for one new index",
                     to->format, from->format);
}
