/*
 * handlers/webhook/webhook_pages.h - subscriptions over HTTP, for those whose token has the scope webhooks.
 *
 * GET and POST /webhooks; GET and DELETE /webhooks/ID; GET /webhooks/ID/attempts (?limit=N); POST /webhooks/ID/test,
 * /pause, /resume, /rotate (?over=1: the newest secret alone signs) and /resend/MESSAGE, whose body is {}. Everybody
 * sees and changes their own; an admin all of them, and the targets of handlers by their names too. What a token may
 * not see is never sent to what it subscribes. The secret is in the answer that makes it, and in no other.
 */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_PAGES_H
#define HANDLERS_WEBHOOK_WEBHOOK_PAGES_H

#include "base/attrs.h"
#include "config/settings.h"
#include "notifier/door_page.h"

enum { WEBHOOK_PAGE_BODY_BYTES = 16 * 1024 };

struct webhook_pages;

/* s is lent. NULL: there are no webhooks. */
struct webhook_pages *webhook_pages_new(const struct settings *s);
void webhook_pages_free(struct webhook_pages *p); /* NULL is fine */

/* The answer of the pages /webhooks and /webhooks/; context: the struct webhook_pages. From any thread. */
unsigned webhook_pages_answer(void *context, const struct page_request *request, struct buf *body);

#endif
