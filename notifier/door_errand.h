/*
 * notifier/door_errand.h - answers that take their time: made by a few threads beside the door's, which serve others
 * meanwhile.
 *
 * The connection of a request that is under way here sleeps; when its answer is made, libmicrohttpd calls for the
 * request once more.
 */
#ifndef NOTIFIER_DOOR_ERRAND_H
#define NOTIFIER_DOOR_ERRAND_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "notifier/door_page.h"

struct errand {
    const struct door_page *page; /* with answer; lent, as request */
    const struct page_request *request;
    struct buf *reply;
    struct MHD_Connection *connection;
    unsigned status; /* of the answer; 0: not made yet */
    struct errand *next;
};

struct errands;

struct errands *errands_new(void);

/*
 * Puts the connection to sleep until the answer is made. False: too many wait already, or the door is about to close,
 * and nothing was done.
 */
bool errands_give(struct errands *all, struct errand *e) must_check;

/* What waits is answered 503, what is under way is made; then no connection sleeps any more. NULL is fine. */
void errands_close(struct errands *all);
void errands_free(struct errands *all); /* closes it first; NULL is fine */

#endif
