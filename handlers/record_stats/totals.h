/*
 * handlers/record_stats/totals.h - sums over aggregates, for the records they belong to and for all versions of each: a
 * few searches for any number of records.
 */
#ifndef HANDLERS_RECORD_STATS_TOTALS_H
#define HANDLERS_RECORD_STATS_TOTALS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/record_stats/usage.h"
#include "indexer/client.h"

/* One aggregation that is summed up; what is const is lent. */
struct totals_source {
    const char *handler, *time, *record, *parent; /* parent may be the same field as record */
    const char *count;
    char *index;           /* alias or pattern of all its indices, without the prefix */
    char *unique, *volume; /* its first distinct count and its first sum; NULL: none */
    bool is_downloads;
};

/* handler: of type aggregate. */
bool totals_source_init(struct totals_source *s, const struct settings *settings, const char *handler,
                        bool is_downloads, struct error *err) must_check;
void totals_source_release(struct totals_source *s);

/*
 * Adds the sums of all records of the parents entered, to parents and records. False (ERROR_AGAIN): nothing can be
 * said, not even that there are none. *missing: there is no such index.
 */
bool totals_add(const struct totals_source *s, struct client *c, struct usage_map *parents, struct usage_map *records,
                bool *missing, struct error *err) must_check;

#endif
