/*
 * handlers/aggregate.h - by the clock: events become one document per key and interval.
 *
 * Only keys that are marked dirty are computed again, from all events of their interval: a run's cost follows what
 * changed, late events count whatever their day, and running it twice changes nothing. Each page of keys is taken,
 * searched, written and settled by itself, so that a run goes on where another stopped. When documents are written, the
 * records they belong to are marked for the handlers of type record-stats that read this aggregation, before the page
 * is settled.
 */
#ifndef HANDLERS_AGGREGATE_H
#define HANDLERS_AGGREGATE_H

#include <stdint.h>

#include "handlers/handler.h"

enum aggregate_interval { INTERVAL_HOUR, INTERVAL_DAY, INTERVAL_MONTH, INTERVAL_YEAR };
enum aggregate_bookmarks { BOOKMARKS_NONE, BOOKMARKS_REFERENCE };

/* The keys of [handler] with type = aggregate, also for those who read the aggregates. */
struct aggregate_options {
    char *of;            /* the handler of type statistics whose documents are aggregated */
    char *field;         /* of an event document: the key */
    int interval;        /* enum aggregate_interval */
    char *index;         /* template of the name, of the interval's start: stats-record-view-{time:%Y-%m} */
    char *alias;         /* that all of the indices have */
    char *time_field;    /* of an aggregate: start of the interval */
    char *updated_field; /* when it was computed; "": none */
    char *count_field;
    char *metrics;         /* handlers/metric.h */
    char *copy;            /* fields of the latest event that are copied */
    char *where;           /* which events count: FIELD=VALUE and FIELD!=VALUE, separated by spaces */
    char *record, *parent; /* fields of an aggregate that name the record and all of its versions */
    char *fields;          /* of the mapping, NAME:TYPE */
    int bookmarks;         /* enum aggregate_bookmarks: kept in the index that invenio-stats keeps them in */
    int64_t page;          /* most keys computed together */
};

extern const struct handler_type aggregate_handler;

/* The start of the interval that a time falls in, and of the one after it (UTC). */
int64_t aggregate_interval_start(enum aggregate_interval i, int64_t time_us);
int64_t aggregate_interval_next(enum aggregate_interval i, int64_t start_us);

/*
 * The query clauses of `where`, added to the arrays filter and must_not of a bool query; with one more: a click that
 * another follows (counted = false) is never counted.
 */
bool aggregate_add_where(const char *where, json_t *filter, json_t *must_not, struct error *err) must_check;

#endif
