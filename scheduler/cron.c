#include "scheduler/cron.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"

enum {
    FIELDS = 5,
    MINUTES_PER_DAY = 24 * 60,
    NAME_BYTES = 4,
    LOOK_AHEAD_DAYS = 8 * 366, /* the longest way from one 29 February to the next: 2096 to 2104 */
};

struct field {
    const char *name;
    int least, most;
    const char *const *names; /* of the values from least on; NULL: numbers only */
    size_t name_count;
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

/* Sunday is 0 and 7. */
static const struct field fields[FIELDS] = {
    {"minute",       0, 59, NULL,          0                          },
    {"hour",         0, 23, NULL,          0                          },
    {"day of month", 1, 31, NULL,          0                          },
    {"month",        1, 12, month_names,   ARRAY_LENGTH(month_names)  },
    {"day of week",  0, 7,  weekday_names, ARRAY_LENGTH(weekday_names)},
};

static bool refuse(const struct field *f, struct span part, const char *why, struct error *err)
{
    return error_set(err, ERROR_CONFIG, "%s \"%.*s\": %s", f->name, (int)part.length, part.text, why);
}

/* The part of *rest before the separator; *rest moves behind it, or its text becomes NULL where none follows. */
static struct span cut(struct span *rest, char separator)
{
    const char *found = memchr(rest->text, separator, rest->length);
    struct span part = {rest->text, found ? (size_t)(found - rest->text) : rest->length};

    *rest = found ? (struct span){found + 1, rest->length - part.length - 1} : (struct span){NULL, 0};
    return part;
}

static bool parse_name(const struct field *f, struct span part, int *out, struct error *err)
{
    char name[NAME_BYTES + 1] = "";
    const char *nearest;

    for (size_t i = 0; i < f->name_count; i++)
        if (strlen(f->names[i]) == part.length && strncasecmp(part.text, f->names[i], part.length) == 0) {
            *out = f->least + (int)i;
            return true;
        }
    memcpy(name, part.text, part.length < NAME_BYTES ? part.length : NAME_BYTES);
    nearest = text_nearest(name, f->names, f->name_count);
    return error_set(err, ERROR_CONFIG, "%s \"%.*s\": no such name%s%s (names are %s to %s)", f->name, (int)part.length,
                     part.text, nearest ? ", nearest is " : "", nearest ? nearest : "", f->names[0],
                     f->names[f->name_count - 1]);
}

static bool parse_value(const struct field *f, struct span part, int *out, struct error *err)
{
    bool letter = part.length > 0 && ((part.text[0] | 0x20) >= 'a' && (part.text[0] | 0x20) <= 'z');
    int64_t number;

    if (f->names && letter)
        return parse_name(f, part, out, err);
    if (part.length == 0 || !text_int(part.text, part.length, &number))
        return refuse(f, part, "write *, a number, a range 1-5, a step */2 or 1-5/2, or several with commas", err);
    if (number < f->least || number > f->most)
        return error_set(err, ERROR_CONFIG, "%s \"%.*s\": only %d to %d exist", f->name, (int)part.length, part.text,
                         f->least, f->most);
    *out = (int)number;
    return true;
}

static bool parse_step(const struct field *f, struct span part, bool is_range, int *out, struct error *err)
{
    int64_t number;

    if (!text_int(part.text, part.length, &number) || number < 1 || number > f->most)
        return error_set(err, ERROR_CONFIG, "%s \"/%.*s\": a step is a number from 1 to %d", f->name, (int)part.length,
                         part.text, f->most);
    if (!is_range)
        return refuse(f, part, "a step follows * or a range, such as */5 or 10-59/5", err);
    *out = (int)number;
    return true;
}

/* One part between commas: *, a value or a range, perhaps with a step. */
static bool parse_part(const struct field *f, struct span part, uint64_t *set, struct error *err)
{
    struct span step_text = part, range = cut(&step_text, '/'), last_text = range, first_text;
    bool all = span_is(range, "*");
    int first = f->least, last = f->most, step = 1;

    first_text = cut(&last_text, '-');
    if (!all && !parse_value(f, first_text, &first, err))
        return false;
    if (!all && !last_text.text)
        last = first;
    if (last_text.text && !parse_value(f, last_text, &last, err))
        return false;
    if (f->names == weekday_names && last == 0 && first > 0)
        last = 7; /* fri-sun */
    if (first > last)
        return refuse(f, range, "the range runs backwards; write two, such as 22-23,0-5", err);
    if (step_text.text && !parse_step(f, step_text, all || last_text.text, &step, err))
        return false;
    assert(first >= 0 && last < 64);
    for (int value = first; value <= last; value += step)
        *set |= UINT64_C(1) << value;
    return true;
}

static bool parse_field(const struct field *f, struct span word, uint64_t *set, struct error *err)
{
    struct span rest = word;

    *set = 0;
    while (rest.text)
        if (!parse_part(f, cut(&rest, ','), set, err))
            return false;
    return true;
}

bool cron_parse(const char **at, struct cron *out, struct error *err)
{
    uint64_t *const sets[FIELDS] = {&out->minutes, &out->hours, &out->days, &out->months, &out->weekdays};
    struct span word;
    bool any[FIELDS];

    for (int i = 0; i < FIELDS; i++) {
        if (!text_word(at, &word.text, &word.length))
            return error_set(err, ERROR_CONFIG,
                             "cron needs five fields (minute hour day-of-month month day-of-week), not %d", i);
        if (!parse_field(&fields[i], word, sets[i], err))
            return false;
        any[i] = span_is(word, "*");
    }
    out->weekdays |= out->weekdays >> 7;
    out->every_day = any[2];
    out->every_weekday = any[4];
    return true;
}

static bool has(uint64_t set, int value)
{
    return set >> value & 1;
}

static bool day_matches(const struct cron *c, int64_t day)
{
    struct calendar date;
    bool of_month, of_week;

    time_calendar(day * 24 * 3600 * US_PER_SECOND, &date);
    of_month = has(c->days, date.day);
    of_week = has(c->weekdays, date.weekday);
    return has(c->months, date.month) && (c->every_day || c->every_weekday ? of_month && of_week : of_month || of_week);
}

/* The first matching minute of a day from one on; -1: none is left. */
static int next_in_day(const struct cron *c, int from)
{
    for (int hour = from / 60, minute = from % 60; hour < 24; hour++, minute = 0)
        for (; has(c->hours, hour) && minute < 60; minute++)
            if (has(c->minutes, minute))
                return hour * 60 + minute;
    return -1;
}

bool cron_next(const struct cron *c, int64_t after, int64_t *next)
{
    int64_t first = after + 1, today = first / MINUTES_PER_DAY - (first % MINUTES_PER_DAY < 0);
    int from = (int)(first - today * MINUTES_PER_DAY);

    for (int64_t day = today; day <= today + LOOK_AHEAD_DAYS; day++, from = 0) {
        int found = day_matches(c, day) ? next_in_day(c, from) : -1;

        if (found >= 0) {
            *next = day * MINUTES_PER_DAY + found;
            return true;
        }
    }
    return false;
}
