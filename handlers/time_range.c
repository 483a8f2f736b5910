#include "handlers/time_range.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "handlers/aggregate.h"

const struct time_range time_range_all = {0, INT64_C(253402300800) * US_PER_SECOND /* the year 10000 */};

static bool parse_unit(const char *text, struct time_range *out)
{
    static const struct {
        size_t length;
        const char *rest;
        enum aggregate_interval unit;
    } forms[] = {
        {4,  "-01-01T00:00:00", INTERVAL_YEAR },
        {7,  "-01T00:00:00",    INTERVAL_MONTH},
        {10, "T00:00:00",       INTERVAL_DAY  },
        {13, ":00:00",          INTERVAL_HOUR },
    };
    char whole[40];

    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        if (strlen(text) != forms[i].length)
            continue;
        snprintf(whole, sizeof whole, "%s%s", text, forms[i].rest);
        if (!time_parse(whole, strlen(whole), true, &out->from_us))
            return false;
        out->to_us = aggregate_interval_next(forms[i].unit, out->from_us);
        return true;
    }
    return false;
}

bool time_range_parse(const char *text, struct time_range *out, struct error *err)
{
    if (parse_unit(text, out))
        return true;
    if (time_parse(text, strlen(text), true, &out->from_us)) {
        out->to_us = out->from_us;
        return true;
    }
    return error_set(err, ERROR_INPUT, "\"%.40s\" is no time: 2026, 2026-10, 2026-10-31, 2026-10-31T09 are wanted",
                     text);
}

bool time_range_between(const char *from, const char *to, struct time_range *out, struct error *err)
{
    struct time_range first = time_range_all, last = time_range_all;

    if ((from && !time_range_parse(from, &first, err)) || (to && !time_range_parse(to, &last, err)))
        return false;
    *out = (struct time_range){first.from_us, last.to_us};
    return out->from_us < out->to_us || error_set(err, ERROR_INPUT, "--to lies before --from");
}
