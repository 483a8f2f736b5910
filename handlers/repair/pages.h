/*
 * handlers/repair/pages.h - every document of an index, page by page and whole, for an operator's verb: goes on over a
 * search engine that is away for a moment.
 */
#ifndef HANDLERS_REPAIR_PAGES_H
#define HANDLERS_REPAIR_PAGES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"

/* hits: an array, each with _index, _id, _version, _seq_no and _source. */
typedef bool page_visit(const json_t *hits, void *context, struct error *err);

/*
 * Calls visit for each page of the documents that fit the query; run is asked between pages and told how many there
 * were. A document that cannot be read is an error (ERROR_INPUT) that names it.
 */
bool pages_each(struct client *c, const char *index, const json_t *query, struct clock_run *run, page_visit *visit,
                void *context, struct error *err) must_check;

/* The next page of a search, tried again while time helps. */
struct search;
bool pages_next(struct search *search, struct clock_run *run, const json_t **hits, struct error *err) must_check;

#endif
