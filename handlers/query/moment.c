#include "handlers/query/moment.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { DATE_LENGTH = 10, MINUTES_LENGTH = 5, SECONDS_LENGTH = 8 };

/* Digits at the start of a text. */
static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* "hh:mm" or "hh:mm:ss": how long, 0 for neither. */
static size_t clock_length(const char *text)
{
    if (digits(text) != 2 || text[2] != ':' || digits(text + 3) != 2)
        return 0;
    return text[MINUTES_LENGTH] == ':' && digits(text + 6) == 2 ? SECONDS_LENGTH : MINUTES_LENGTH;
}

/* The fraction as Python shows it: none where it is zero, else six digits. */
static void add_fraction(char out[MOMENT_TEXT_BYTES], int64_t us)
{
    size_t length = strlen(out);

    if (us % US_PER_SECOND != 0)
        snprintf(out + length, MOMENT_TEXT_BYTES - length, ".%06d", (int)(us % US_PER_SECOND));
}

/* Time of day and offset, whole: what may be left out is put in. */
static bool parse_rest(const char *rest, struct moment *m)
{
    char whole[MOMENT_TEXT_BYTES];
    size_t clock = clock_length(rest), fraction = 0;
    const char *offset;
    int length;

    if (clock == 0)
        return false;
    if (clock == SECONDS_LENGTH && rest[clock] == '.')
        fraction = 1 + digits(rest + clock + 1);
    offset = rest + clock + fraction;
    if (strcmp(offset, "Z") == 0)
        offset = "+00:00";
    length = snprintf(whole, sizeof whole, "%sT%.*s%s%.*s%s", m->text, (int)clock, rest,
                      clock == MINUTES_LENGTH ? ":00" : "", (int)fraction, rest + clock, offset);
    if (length >= (int)sizeof whole || !time_parse(whole, (size_t)length, true, &m->us))
        return false;
    snprintf(m->text, sizeof m->text, "%.*s", DATE_LENGTH + 1 + SECONDS_LENGTH, whole);
    add_fraction(m->text, m->us);
    length = (int)strlen(m->text);
    return snprintf(m->text + length, sizeof m->text - (size_t)length, "%s", offset) <
           (int)(sizeof m->text - (size_t)length);
}

bool moment_parse(const char *text, struct moment *out)
{
    *out = (struct moment){0};
    if (strlen(text) < DATE_LENGTH)
        return false;
    snprintf(out->text, sizeof out->text, "%.*s", DATE_LENGTH, text);
    if (text[DATE_LENGTH] == 'T' || text[DATE_LENGTH] == ' ')
        return parse_rest(text + DATE_LENGTH + 1, out);
    out->whole_day = true;
    snprintf(out->text + DATE_LENGTH, sizeof out->text - DATE_LENGTH, "T00:00:00");
    return !text[DATE_LENGTH] && time_parse(out->text, strlen(out->text), true, &out->us);
}
