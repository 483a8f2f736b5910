/*
 * scheduler/stats_show.h - what the verb `stats` prints: a table and bars, one JSON array with --json, CSV with --csv.
 */
#ifndef SCHEDULER_STATS_SHOW_H
#define SCHEDULER_STATS_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "config/verb.h"
#include "handlers/query/figures.h"

struct stats_call {
    struct verb_call *call;
    struct client *client;
    struct time_range range;
    const char *interval; /* of a history */
    int64_t limit;
    bool csv, all_versions;
};

/* Each returns an exit code and says itself what went wrong. */
int stats_show_top(const struct stats_call *s, const char *of);    /* views, downloads, or a handler's name */
int stats_show_record(const struct stats_call *s, const char *id); /* how it went over time */

/* How the events divide by a field; by_host: the values are URLs, of which the host counts. */
int stats_show_values(const struct stats_call *s, const char *field, bool by_host);
int stats_show_agents(const struct stats_call *s);

#endif
