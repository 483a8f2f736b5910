/*
 * handlers/aggregate/aggregation.h - one aggregation at work: what the parts of the handler, and the verbs about it,
 * share.
 */
#ifndef HANDLERS_AGGREGATE_AGGREGATION_H
#define HANDLERS_AGGREGATE_AGGREGATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "handlers/aggregate.h"
#include "handlers/dirty.h"
#include "handlers/metric.h"
#include "handlers/statistics.h"

enum { INTERVAL_TEXT_BYTES = 32 };

struct template;

struct aggregation {
    struct handler *handler;
    const struct aggregate_options *options;
    const struct statistics_options *of; /* whose documents these are made from */
    struct buf source, target;           /* what covers all events, and all aggregates; without the prefix */
    struct template *index;
    struct metrics metrics;
    struct renames copies;
    struct bulk *bulk;
    size_t page;            /* keys computed together, as far as OpenSearch bears it */
    bool copies_indexed;    /* the copied fields can be read from the index as they stand in the events */
    struct handler **hands; /* further ones (aggregate_hands.h) */
    size_t hand_count;
    bool bookmark_due; /* something was computed since the last one */
    int64_t bookmark_not_before_ms;
};

/* The handler's own state; as long as the handler. */
struct aggregation *aggregation_of(struct handler *h);

/* Of the interval that starts then: as it stands in an id ("2026-11-20"), and in a document. Both return out. */
const char *aggregate_id_date(enum aggregate_interval i, int64_t start_us, char out[INTERVAL_TEXT_BYTES]);
const char *aggregate_start_text(int64_t start_us, char out[INTERVAL_TEXT_BYTES]);

/* "month"; the name of the index for an interval, appended without prefix. */
const char *aggregate_interval_name(enum aggregate_interval i);
bool aggregate_add_index(struct aggregation *a, int64_t start_us, struct buf *out, struct error *err) must_check;

/* The index has one name for all of an interval, whatever the time in it. */
bool aggregate_index_fits(const char *index, enum aggregate_interval i, struct error *err) must_check;

#endif
