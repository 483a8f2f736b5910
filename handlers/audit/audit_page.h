/*
 * handlers/audit/audit_page.h - GET /audit: entries, the newest first.
 *
 *     ?actor=users/1&action=record.*&resource=records/9&outcome=failure&from=2026-11&to=2026-11-20&limit=50&after=...
 *
 * answers {"entries": [...], "next": "..."}; next is what `after` takes for the following page, null after the last.
 * Who reads is an entry itself; where Redis does not take it, nothing is shown (503).
 *
 * What a caller's token may not see, by the type of its event, is left out. 400 names the argument; 503 where
 * OpenSearch is away.
 */
#ifndef HANDLERS_AUDIT_AUDIT_PAGE_H
#define HANDLERS_AUDIT_AUDIT_PAGE_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "config/settings.h"

struct audit_page;
struct page_request;

/* NULL: no handler of type audit has an index. */
struct audit_page *audit_page_new(const struct settings *s);
void audit_page_free(struct audit_page *p); /* NULL is fine */

/* For struct door_page, with GET. Several threads at a time may ask. */
unsigned audit_page_answer(void *audit_page, const struct page_request *request, struct buf *body);

#endif
