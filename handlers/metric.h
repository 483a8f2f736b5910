/*
 * handlers/metric.h - "unique_count=cardinality(unique_session_id,1000) volume=sum(size)": what is computed over
 * documents, in words of the configuration, as aggregations of OpenSearch, and read back.
 *
 * Functions: sum min max avg cardinality(FIELD[,PRECISION]) and unique(FIELD), which is exact and needs a search of its
 * own (whoever computes says whether it offers that).
 */
#ifndef HANDLERS_METRIC_H
#define HANDLERS_METRIC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"

enum metric_function { METRIC_SUM, METRIC_MIN, METRIC_MAX, METRIC_AVERAGE, METRIC_CARDINALITY, METRIC_UNIQUE };

struct metric {
    char *name, *field;
    enum metric_function function;
    int precision; /* of CARDINALITY; 0: the server's own */
};

struct metrics {
    struct metric *items;
    size_t count;
};

bool metrics_parse(const char *words, struct metrics *out, struct error *err) must_check;
void metrics_release(struct metrics *m);
bool metrics_check(const char *words, struct error *err); /* for configuration rows */

/*
 * Adds each as a member of an "aggs" object; METRIC_UNIQUE is left out. No cardinality gets more than precision_most,
 * 0: each as it is configured. Below its threshold a cardinality is counted one by one, whatever the threshold is (by
 * 25 bits of each value's hash: two of a thousand are taken for one in some 15 of a thousand buckets), and the memory
 * that OpenSearch takes for every bucket grows with it.
 */
void metrics_add_aggregations(const struct metrics *m, int precision_most, json_t *aggs);

/* Whether over so many documents that limit may give another number than the configured precision. */
bool metrics_need_precision(const struct metrics *m, int precision_most, int64_t documents);

/* "DST=SRC" and plain "NAME" words (DST and SRC the same), as copy, required and the like use them. */
struct renamed {
    char *to, *from;
};
struct renames {
    struct renamed *items;
    size_t count;
};
bool renames_parse(const char *words, struct renames *out, struct error *err) must_check;
void renames_release(struct renames *r);
bool renames_check(const char *words, struct error *err);

#endif
