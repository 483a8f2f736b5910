/* The verb that shows statistics: stats top, record, country, referrer, robots. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "handlers/aggregate.h"
#include "handlers/handler.h"
#include "scheduler/stats_show.h"
#include "scheduler/verbs.h"

enum { LIMIT_DEFAULT = 10, LIMIT_MOST = 10000, ID_BYTES_MOST = 512 };

#define USAGE                                                                                                          \
    "top [views|downloads|HANDLER] | record RECID [--interval day|week|month|year] [--all-versions] | country | "      \
    "referrer | robots; all with [--from DATE] [--to DATE] [--limit N] [--csv] [--json]"

/* A year, month, day or hour given as the end counts as a whole. */
static bool take_range(struct verb_call *call, struct time_range *range, struct error *err)
{
    const char *from = NULL, *to = NULL;

    if ((verb_option(call, "from", &from) && !from) || (verb_option(call, "to", &to) && !to))
        return error_set(err, ERROR_INPUT, "--from and --to need a date");
    return time_range_between(from, to, range, err);
}

static bool take_interval(struct verb_call *call, const char **interval, struct error *err)
{
    static const char *const known[] = {"day", "week", "month", "year"};

    *interval = "month";
    if (!verb_option(call, "interval", interval))
        return true;
    for (size_t i = 0; *interval && i < ARRAY_LENGTH(known); i++)
        if (strcmp(*interval, known[i]) == 0)
            return true;
    return error_set(err, ERROR_INPUT, "--interval needs day, week, month or year");
}

static bool take_options(struct stats_call *s, struct error *err)
{
    struct verb_call *call = s->call;

    s->csv = verb_option(call, "csv", NULL);
    s->all_versions = verb_option(call, "all-versions", NULL);
    return take_range(call, &s->range, err) &&
           verb_option_number(call, "limit", LIMIT_DEFAULT, LIMIT_MOST, &s->limit, err) &&
           take_interval(call, &s->interval, err) &&
           (!s->csv || !call->json || error_set(err, ERROR_INPUT, "either --csv or --json"));
}

/* What came on the command line goes into a search as JSON. */
static bool is_id(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length <= ID_BYTES_MOST && text_utf8_valid(text, length) == length;
}

static int show_top(const struct stats_call *s, const char *of)
{
    struct error err;

    if (!text_same(of, "views") && !text_same(of, "downloads") &&
        !handler_named(s->call->settings, of, &aggregate_handler, &err))
        return verb_usage("stats", err.text);
    return stats_show_top(s, of);
}

static int dispatch(struct stats_call *s)
{
    const struct verb_call *call = s->call;
    const char *what = call->argc ? call->argv[0] : "top";

    if (verb_unknown_option(call))
        return verb_usage("stats", USAGE);
    if (strcmp(what, "top") == 0 && call->argc <= 2)
        return show_top(s, call->argc == 2 ? call->argv[1] : "views");
    if (strcmp(what, "record") == 0 && call->argc == 2 && is_id(call->argv[1]))
        return stats_show_record(s, call->argv[1]);
    if (strcmp(what, "country") == 0 && call->argc == 1)
        return stats_show_values(s, "country", false);
    if (strcmp(what, "referrer") == 0 && call->argc == 1)
        return stats_show_values(s, "referrer", true);
    if (strcmp(what, "robots") == 0 && call->argc == 1)
        return stats_show_agents(s);
    return verb_usage("stats", USAGE);
}

int verb_stats(struct verb_call *call)
{
    struct stats_call s = {.call = call};
    struct error err;
    int code;

    if (!take_options(&s, &err))
        return verb_usage("stats", err.text);
    s.client = client_new(&call->settings->opensearch);
    code = dispatch(&s);
    client_free(s.client);
    return code;
}
