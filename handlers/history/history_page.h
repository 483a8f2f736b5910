/*
 * handlers/history/history_page.h - GET /history: events of the past, the newest first.
 *
 *     ?id=7&subject=users/42&type=user.*&actor=users/1&operation=op-9&from=2026-11&to=2026-11-20&limit=50&after=...
 *
 * answers {"events": [...], "next": "..."}; next is what `after` takes for the following page, null after the last. A
 * caller whose token is narrowed to types finds these only. 400 names the argument; 503 where OpenSearch is away.
 */
#ifndef HANDLERS_HISTORY_HISTORY_PAGE_H
#define HANDLERS_HISTORY_HISTORY_PAGE_H

#include "base/attrs.h"
#include "base/buf.h"
#include "config/settings.h"

struct history_pages;
struct page_request;

/* NULL: there is no handler of type history. */
struct history_pages *history_pages_new(const struct settings *s);
void history_pages_free(struct history_pages *p); /* NULL is fine */

/* For struct door_page, with GET. Several threads at a time may ask. */
unsigned history_pages_answer(void *history_pages, const struct page_request *request, struct buf *body);

#endif
