/*
 * indexer/sorted_search.h - every hit of a query in the order of some fields, page by page, as things stood when it
 * began: for what has to be seen side by side.
 */
#ifndef INDEXER_SORTED_SEARCH_H
#define INDEXER_SORTED_SEARCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "indexer/client.h"

struct sorted_search;

/*
 * index: without the prefix; a missing one has no hits. fields: an array of names; source: what of a document comes
 * with a hit, as _source of a search has it. Both and the query are borrowed. Each hit has _index, _id, _version and
 * sort, the fields' values in that order. A point in time that expired is opened anew: then a document that was
 * written meanwhile may come twice.
 */
struct sorted_search *sorted_search_open(struct client *c, const char *index, const json_t *query, const json_t *fields,
                                         const json_t *source, size_t page_size);

/* *hits: an array, borrowed until the next call; NULL after the last page. After ERROR_AGAIN it may be called again. */
bool sorted_search_next(struct sorted_search *s, const json_t **hits, struct error *err) must_check;
void sorted_search_close(struct sorted_search *s); /* NULL is fine */

#endif
