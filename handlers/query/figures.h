/*
 * handlers/query/figures.h - what `crier stats` shows: the records used most, one record over time, and how the events
 * divide by a field. Read from aggregates and event documents as they are; each a single search.
 */
#ifndef HANDLERS_QUERY_FIGURES_H
#define HANDLERS_QUERY_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/record_stats/totals.h"
#include "handlers/time_range.h"
#include "indexer/client.h"

struct figure {
    char *key; /* a record's id, a date, a value */
    int64_t count, unique;
    double volume;
};

struct figures {
    struct figure *items;
    size_t count;
    int64_t total; /* of all, also those that are not among the items */
};

#define FIGURES_INIT                                                                                                   \
    {                                                                                                                  \
        NULL, 0, 0                                                                                                     \
    }

void figures_release(struct figures *f);

/* The records with the highest counts. An index that is not there has none, as everywhere below. */
bool figures_top(struct client *c, const struct totals_source *s, const struct time_range *range, size_t most,
                 struct figures *out, struct error *err) must_check;

/* One record, or all versions of a parent, by day, week, month or year; intervals in between count 0. */
bool figures_history(struct client *c, const struct totals_source *s, const struct time_range *range, const char *id,
                     bool all_versions, const char *interval, struct figures *out, struct error *err) must_check;

/* Event documents of a handler of type statistics by the values of a field; those without are "". */
bool figures_values(struct client *c, const struct handler_settings *events, const struct time_range *range,
                    const char *field, size_t most, struct figures *out, struct error *err) must_check;

/* Likewise in three: "people", "machines", "robots". */
bool figures_agents(struct client *c, const struct handler_settings *events, const struct time_range *range,
                    struct figures *out, struct error *err) must_check;

#endif
