/* Hours, days, months and years of UTC, and how they stand in names. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "handlers/aggregate/aggregation.h"
#include "notifier/template.h"

enum { INTERVALS_TRIED = 400, YEAR_TRIED = 2023 };

static const struct {
    const char *name, *id_format;
} intervals[] = {
    [INTERVAL_HOUR] = {"hour",  "%Y-%m-%dT%H"},
    [INTERVAL_DAY] = {"day",   "%Y-%m-%d"   },
    [INTERVAL_MONTH] = {"month", "%Y-%m"      },
    [INTERVAL_YEAR] = {"year",  "%Y"         },
};

const char *aggregate_interval_name(enum aggregate_interval i)
{
    return intervals[i].name;
}

int64_t aggregate_interval_start(enum aggregate_interval i, int64_t time_us)
{
    struct calendar c;

    time_calendar(time_us, &c);
    c.minute = c.second = 0;
    if (i >= INTERVAL_DAY)
        c.hour = 0;
    if (i >= INTERVAL_MONTH)
        c.day = 1;
    if (i >= INTERVAL_YEAR)
        c.month = 1;
    return time_from_calendar(&c);
}

int64_t aggregate_interval_next(enum aggregate_interval i, int64_t start_us)
{
    static const int days_at_least[] = {[INTERVAL_MONTH] = 31, [INTERVAL_YEAR] = 366};
    int64_t hour_us = 3600 * US_PER_SECOND;

    if (i == INTERVAL_HOUR)
        return start_us + hour_us;
    if (i == INTERVAL_DAY)
        return start_us + 24 * hour_us;
    return aggregate_interval_start(i, start_us + days_at_least[i] * 24 * hour_us);
}

const char *aggregate_id_date(enum aggregate_interval i, int64_t start_us, char out[INTERVAL_TEXT_BYTES])
{
    if (time_format(start_us, intervals[i].id_format, out, INTERVAL_TEXT_BYTES) == 0)
        out[0] = '\0';
    return out;
}

const char *aggregate_start_text(int64_t start_us, char out[INTERVAL_TEXT_BYTES])
{
    if (time_format(start_us, "%Y-%m-%dT%H:%M:%S", out, INTERVAL_TEXT_BYTES) == 0)
        out[0] = '\0';
    return out;
}

static bool add_name(struct template *t, int64_t time_us, struct buf *out, struct error *err)
{
    struct event e = event_none;
    char text[TIME_TEXT_BYTES];

    e.time_us = time_us;
    e.time = span_of(time_text(time_us, text));
    return template_add_index(t, &e, out, err);
}

bool aggregate_add_index(struct aggregation *a, int64_t start_us, struct buf *out, struct error *err)
{
    return add_name(a->index, start_us, out, err);
}

static bool names_agree(struct template *t, enum aggregate_interval i, int64_t start_us, struct error *err)
{
    struct buf first = BUF_INIT, last = BUF_INIT;
    bool ok = add_name(t, start_us, &first, err) &&
              add_name(t, aggregate_interval_next(i, start_us) - US_PER_SECOND, &last, err);

    if (!ok)
        error_set(err, ERROR_CONFIG, "index: only {time:...} has a meaning here");
    else if (strcmp(first.data, last.data) != 0)
        ok = error_set(err, ERROR_CONFIG, "index: a %s begins in %s and ends in %s: an index must hold whole intervals",
                       intervals[i].name, first.data, last.data);
    buf_release(&first);
    buf_release(&last);
    return ok;
}

bool aggregate_index_fits(const char *index, enum aggregate_interval i, struct error *err)
{
    struct template *t = template_new(index, err);
    int64_t start_us = time_from_calendar(&(struct calendar){.year = YEAR_TRIED, .month = 1, .day = 1});
    bool ok = t != NULL;

    for (int n = 0; ok && n < INTERVALS_TRIED; n++) {
        ok = names_agree(t, i, start_us, err);
        start_us = aggregate_interval_next(i, start_us);
    }
    template_free(t);
    return ok;
}
