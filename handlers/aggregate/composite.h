/*
 * handlers/aggregate/composite.h - all buckets of a composite aggregation, page by page: as many as there are, in
 * little memory.
 */
#ifndef HANDLERS_AGGREGATE_COMPOSITE_H
#define HANDLERS_AGGREGATE_COMPOSITE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "indexer/client.h"

struct composite {
    const char *index;          /* without the prefix; alias or pattern */
    const json_t *query;        /* these four are borrowed */
    const json_t *sources;      /* an array, as OpenSearch takes it */
    const json_t *aggregations; /* in each bucket; NULL: none */
    size_t size;                /* buckets in a page */
    bool may_be_missing;        /* an index that is missing has no buckets; else it is an error */
};

/* Buckets come in the order of their sources. */
typedef bool (*composite_visit)(void *context, const json_t *buckets, struct error *err);

/* Calls visit with each page's array. False: what the visit says, or ERROR_AGAIN. */
bool composite_each(struct client *c, const struct composite *what, composite_visit visit, void *context,
                    struct error *err) must_check;

/* {"NAME": {"terms": {"field": FIELD}}}; with_missing: documents without the field have a bucket too, of null. */
json_t *composite_terms(const char *name, const char *field, bool with_missing);

/* One search of an index, without hits; body is taken. *answer is the caller's; NULL where the index is missing. */
bool search_once(struct client *c, const char *index, json_t *body, bool may_be_missing, json_t **answer,
                 struct error *err) must_check;

#endif
