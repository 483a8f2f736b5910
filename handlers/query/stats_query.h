/*
 * handlers/query/stats_query.h - POST /stats: statistics by the names of the [query] sections, in the request, the
 * results and the errors that invenio-stats gave them.
 *
 *     {"mine": {"stat": "record-view", "params": {"recid": "abc", "start_date": "2026-11-01"}}, ...}
 *
 * answers {"mine": {...}, ...}. All of a request's statistics are one request to OpenSearch. 400 names what is wrong
 * with which statistic; an index that is not there yet counts as zeros; 503 where OpenSearch is away or too slow, never
 * numbers from a part of the shards.
 */
#ifndef HANDLERS_QUERY_STATS_QUERY_H
#define HANDLERS_QUERY_STATS_QUERY_H

#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/settings.h"

enum { STATS_QUERY_BODY_BYTES = 256 * 1024 };

struct stats_query;

struct stats_query *stats_query_new(const struct settings *s, struct error *err) must_check; /* NULL: ERROR_CONFIG */
void stats_query_free(struct stats_query *q);                                                /* NULL is fine */

/* The answer to one request: fills reply, returns the HTTP status. Several threads at a time may ask. */
struct page_request;
unsigned stats_query_answer(void *stats_query, const struct page_request *request, struct buf *reply);

#endif
