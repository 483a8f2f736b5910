/*
 * handlers/query/timeline.h - documents of one time each, the newest first, page by page; and what asks for some of
 * them.
 */
#ifndef HANDLERS_QUERY_TIMELINE_H
#define HANDLERS_QUERY_TIMELINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "handlers/time_range.h"
#include "indexer/client.h"

struct page_request;

/* Where they are. */
struct timeline {
    const char *pattern;   /* of the indices, without the prefix */
    const char *time, *id; /* fields: mapped as date and keyword; together they tell one document from all others */
    const char *point;     /* as timeline_hold has it; NULL: each page shows what there is when it is asked for */
    size_t page_bytes;     /* of OpenSearch's reply, at most; 0: what a reply may have */
};

enum { TIMELINE_PAGE_MOST = 1000, TIMELINE_VALUE_MOST = 512, TIMELINE_PAGE_BYTES = 4 * 1024 * 1024 };

/* What a person asks for; NULL: nothing. ERROR_INPUT: it is empty, too long or no UTF-8. */
bool timeline_value_check(const char *name, const char *value, struct error *err) must_check;

/* What such a query has in its "filter", at the end of the array all. */
void timeline_add_term(json_t *all, const char *field, const char *value, size_t length);
void timeline_add_range(json_t *all, const char *field, const struct time_range *range);

/*
 * The next so many: *documents is an array, the caller's. after: where the page before ended, or ""; it becomes where
 * this one ends, "" after the last. A page that is longer than page_bytes ends earlier, with one document at least.
 * ERROR_INPUT: after is no such place, or OpenSearch refuses the query; ERROR_AGAIN: OpenSearch is away.
 *
 * Pages hold each document once that was there before the first was asked for, and is as it was. One that gets another
 * time meanwhile may be on two pages or on none, and one that is new is on those that its time is on. With a point all
 * of them show what there was when it was made.
 */
bool timeline_page(struct client *c, const struct timeline *t, const json_t *query, size_t limit, struct buf *after,
                   json_t **documents, struct error *err) must_check;

/*
 * One state for all pages of a search: *point is yours for timeline_let_go; NULL where there is no index. It lasts some
 * minutes from page to page, and holds files of OpenSearch for as long: not for strangers who may never come back.
 */
bool timeline_hold(struct client *c, const char *pattern, char **point, struct error *err) must_check;
void timeline_let_go(struct client *c, char *point); /* NULL is fine */

/* ---- of a page of the door */

/* A filter that is mistyped must not look like one that everything fits. known: names, NULL-ended. */
bool timeline_arguments_check(const struct page_request *r, const char *const *known, struct error *err) must_check;

/* Its argument `limit`. */
bool timeline_limit(const struct page_request *r, size_t *limit, struct error *err) must_check;

/* {"NAME": [...], "next": "..."}, without the documents that may_see (NULL: all may be seen) keeps back. */
void timeline_answer(const char *name, const json_t *documents, const struct buf *next,
                     bool (*may_see)(const void *context, const json_t *document), const void *context,
                     struct buf *body);

#endif
