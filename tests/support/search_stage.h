/*
 * tests/support/search_stage.h - many documents on a real OpenSearch, behind the fault proxy, and searches that read
 * them.
 */
#ifndef TESTS_SUPPORT_SEARCH_STAGE_H
#define TESTS_SUPPORT_SEARCH_STAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "indexer/client.h"
#include "indexer/search.h"
#include "support/fault_proxy.h"

enum { MANY = 12000, PAGE = 1000, BULK_BYTES = 8 * 1024 * 1024 };

/* Made once: MANY documents {"n": i, "third": i % 3} in "search-many", over five shards; none is changed. */
struct search_stage {
    struct fault_proxy *proxy;
    struct client *client;
    struct error err;
    bool *seen; /* by n: that document was among the hits */
};

/* For cmocka: of the group, and before each test. *state is a struct search_stage. */
int search_stage_open(void **state);
int search_stage_close(void **state);
int search_stage_forget(void **state); /* what was seen, and faults */

json_t *search_stage_ask(struct search_stage *f, const char *method, const char *index, const char *after,
                         const char *body); /* yours; body may be NULL */

/* Documents from to below to into an index "search-..."; teardown removes it. */
void search_stage_fill(struct search_stage *f, const char *index, int from, int to, int64_t version);

json_t *search_all(void); /* the query for all documents; yours */

/* The next page; NULL: there is none. */
const json_t *search_stage_next(struct search_stage *f, struct search *s);

/* Notes the hits; returns how many were there for the first time. */
int search_stage_note(struct search_stage *f, const json_t *hits);

/* Reads all pages of a query, which it takes, and returns how many hits there were, each of them once. */
int search_stage_read(struct search_stage *f, const char *index, json_t *query, size_t page);

#endif
