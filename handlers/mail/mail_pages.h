/*
 * handlers/mail/mail_pages.h - how an address gets its mails, over HTTP.
 *
 * For a token with the scope mail: GET /mail/preferences/ADDRESS tells it of each handler; PUT with {"mails": "off",
 * "at-once", "daily" or "weekly", "handler": NAME} sets it, for all handlers where none is named.
 *
 * For anybody who has the link that a mail carries: POST /mail/unsubscribe/DIGEST/HANDLER/SIGNATURE (RFC 8058) turns
 * that handler's mails off for that address. A GET changes nothing, as programs that look for evil follow links; it
 * shows a page with a button. The link holds no address, and a signature by a key that is made once and kept in Redis.
 */
#ifndef HANDLERS_MAIL_MAIL_PAGES_H
#define HANDLERS_MAIL_MAIL_PAGES_H

#include "base/attrs.h"
#include "config/settings.h"
#include "notifier/door_page.h"

enum { MAIL_PAGE_BODY_BYTES = 4096 };

#define MAIL_PREFERENCES_PATH "/mail/preferences/"
#define MAIL_UNSUBSCRIBE_PATH "/mail/unsubscribe/"

struct mail_pages;

/* s is lent. NULL: there is no handler of type mail. */
struct mail_pages *mail_pages_new(const struct settings *s);
void mail_pages_free(struct mail_pages *p); /* NULL is fine */

/* The answers of the two paths; context: the struct mail_pages. From any thread. */
unsigned mail_pages_preferences(void *context, const struct page_request *request, struct buf *body);
unsigned mail_pages_unsubscribe(void *context, const struct page_request *request, struct buf *body);

#endif
