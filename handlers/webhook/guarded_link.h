/*
 * handlers/webhook/guarded_link.h - a request of guarded_post.h in its pieces, for those who wait for several at a time
 * (handlers/webhook/post_loop.c): aim, find the host's addresses, begin, let libcurl work, end.
 */
#ifndef HANDLERS_WEBHOOK_GUARDED_LINK_H
#define HANDLERS_WEBHOOK_GUARDED_LINK_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/webhook/guarded_post.h"
#include "handlers/webhook/resolver.h"

/* Its time begins. request and reply are lent until the end. False: the URL is refused, and that was the end. */
bool guarded_post_aim(struct guarded_post *p, const struct post_request *request, struct post_reply *reply,
                      struct error *err) must_check;

const char *guarded_post_host(const struct guarded_post *p); /* whose addresses are to be found */
int guarded_post_resolve_ms(const struct guarded_post *p);   /* and in what time */

/* What libcurl is to perform. NULL: an address is refused, and that was the end. */
CURL *guarded_post_begin(struct guarded_post *p, const struct addresses *found, struct error *err) must_check;

CURL *guarded_post_link(const struct guarded_post *p); /* the same, as long as p */

/* What came of it, as guarded_post_send says it. */
bool guarded_post_end(struct guarded_post *p, CURLcode code, struct error *err) must_check;

#endif
