/*
 * notifier/page_links.h - links to Redis for pages of the door, one for each request under way.
 *
 * A Redis that hangs must not keep the few threads that all slow pages share: no reply is waited for longer than
 * PAGE_LINK_REPLY_MS, and who finds all links in use for longer than PAGE_LINK_PATIENCE_MS is turned away. From any
 * thread.
 */
#ifndef NOTIFIER_PAGE_LINKS_H
#define NOTIFIER_PAGE_LINKS_H

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"

enum { PAGE_LINK_PATIENCE_MS = 500, PAGE_LINK_REPLY_MS = 2000 };

struct page_links;

/* most: at a time. s is lent. */
struct page_links *page_links_new(const struct settings *s, int most);
void page_links_free(struct page_links *l); /* all are given back; NULL is fine */

/* For this request alone, until it is given back. NULL: ERROR_AGAIN: others keep them. */
struct redis *page_links_take(struct page_links *l, struct error *err) must_check;
void page_links_give_back(struct page_links *l, struct redis *r);

#endif
