/* notifier/operation/operation_page.h - GET /operations/ID: what became of the events of an operation. */
#ifndef NOTIFIER_OPERATION_OPERATION_PAGE_H
#define NOTIFIER_OPERATION_OPERATION_PAGE_H

#include "config/settings.h"
#include "notifier/door_page.h"

struct operation_page;

struct operation_page *operation_page_new(const struct settings *s);
void operation_page_free(struct operation_page *p); /* NULL is fine */

/* As a door_page's answer, with the page as its context. */
unsigned operation_page_answer(void *page, const struct page_request *request, struct buf *body);

#endif
