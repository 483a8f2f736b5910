/*
 * indexer/search.h - every hit of a query, page by page, over a point in time with search_after.
 */
#ifndef INDEXER_SEARCH_H
#define INDEXER_SEARCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "indexer/client.h"

struct search;

/*
 * index: name, alias or pattern without the prefix; a missing one has no hits. query is borrowed. Each hit has _index,
 * _id, _seq_no, _primary_term, _version and _source, and _routing where it was given one. Nothing is sent before the
 * first page.
 *
 * A page that is too long or cannot be read comes without any _source: search_get tells one document from the others.
 */
struct search *search_open(struct client *c, const char *index, const json_t *query, size_t page_size);

/* Before the first page: hits come with these fields of their documents only, named with commas between them. */
void search_fields(struct search *s, const char *fields);

/*
 * Before the first page: hits come in the order of these fields (an array of names), each with their values in "sort".
 * A point in time that expired is opened anew: then a document that was written meanwhile may come twice.
 */
void search_sort(struct search *s, const json_t *fields);

/* *hits: an array, borrowed until the next call; NULL after the last page. After ERROR_AGAIN it may be called again. */
bool search_next(struct search *s, const json_t **hits, struct error *err) must_check;

/* Closes the point in time; NULL is fine. */
void search_close(struct search *s);

/*
 * A point in time of all indices of a pattern, kept for so long ("2m") after each use; yours to close. *missing: there
 * is none of them, and no point.
 */
bool search_point_open(struct client *c, const char *pattern, const char *keep_alive, char **point, bool *missing,
                       struct error *err) must_check;

/* Closes a point in time by its id, which is freed; NULL in it is fine. Best effort: what is not closed expires. */
void search_point_close(struct client *c, char **point);

/* POST index/_refresh; a missing index is fine. */
bool search_refresh(struct client *c, const char *index, struct error *err) must_check;

/*
 * The documents behind hits as they are now, in one request (_mget): an array in the same order and of the same form,
 * each with "found". Caller's. Of a hit _index (with the prefix), _id and _routing count.
 */
bool search_get(struct client *c, const json_t *const *hits, size_t count, json_t **docs, struct error *err) must_check;

/* The same, with these fields of the documents only (NULL: whole). */
bool search_get_fields(struct client *c, const char *fields, const json_t *const *hits, size_t count, json_t **docs,
                       struct error *err) must_check;

#endif
