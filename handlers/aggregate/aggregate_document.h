/*
 * handlers/aggregate/aggregate_document.h - the document of an aggregate: made from a bucket of a search, and whom it
 * is about.
 */
#ifndef HANDLERS_AGGREGATE_AGGREGATE_DOCUMENT_H
#define HANDLERS_AGGREGATE_AGGREGATE_DOCUMENT_H

#include "handlers/aggregate/aggregation.h"

enum { COPY_NAME_BYTES = 24 };

/* The source of copied field i in a composite aggregation, as its keys have it. Returns out. */
const char *aggregate_copy_name(size_t i, char out[COPY_NAME_BYTES]);

/*
 * Of the interval that starts then, with uniques[i] for each metric that is METRIC_UNIQUE. Copied fields are those of
 * the bucket's own key, where the values are the same in all events; with latest those of its hit, the latest event.
 * The caller's to release.
 */
json_t *aggregate_document(const struct aggregation *a, int64_t interval_us, const int64_t *uniques,
                           const json_t *bucket, bool latest);

/* Whom the counters of an aggregate's document belong to, in the arena; NULL: nobody. */
const char *aggregate_parent(const struct aggregation *a, const json_t *document, struct arena *arena);

#endif
