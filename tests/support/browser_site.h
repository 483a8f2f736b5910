/* tests/support/browser_site.h - a server with a page for a browser, and what the page told it. */
#ifndef TESTS_SUPPORT_BROWSER_SITE_H
#define TESTS_SUPPORT_BROWSER_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "support/post_server.h"

enum { IDS_MOST = 1000, ID_ROOM = 48 };

/* Told by posts to /message (an id, a blank, data), /opened, /gap and /error (EventSource's readyState). */
struct site {
    struct post_server *server;
    struct buf page; /* at / */
    char ids[IDS_MOST][ID_ROOM];
    size_t count, opened, lost; /* messages; connections that began, and that broke off */
    struct buf heard;           /* the messages' data, a line each */
    bool closed, gap;           /* it does not come back; results were missed */
};

void site_open(struct site *s);
void site_close(struct site *s);

/* To be asked under post_server_lock. n: at least so many. */
bool site_has_opened(const struct site *s, size_t n);
bool site_has_lost(const struct site *s, size_t n);
bool site_is_closed(const struct site *s, size_t n); /* whatever n */
bool site_has_heard(const struct site *s, size_t n);

#endif
