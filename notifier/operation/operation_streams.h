/*
 * notifier/operation/operation_streams.h - results as Server-Sent Events (WHATWG HTML, 9.2), for any number of
 * listeners.
 *
 * The id of an event is that of its entry in Redis: whoever comes back with it, at whatever process, goes on after it,
 * without gap or repeat as long as it is among the RESULTS_MOST last; who was away for longer is told by an event
 * "gap", from where to where. A listener that reads slower than results come costs no more than LISTENER_BYTES; it is
 * read for again once it has room; door_watch.h ends one that reads too slowly. After LISTENER_LIFE_MS its stream ends,
 * so that who comes back shows again who they are. One that goes away leaves its place to another within a second.
 */
#ifndef NOTIFIER_OPERATION_OPERATION_STREAMS_H
#define NOTIFIER_OPERATION_OPERATION_STREAMS_H

#include <microhttpd.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "notifier/operation/operations.h"
#include "notifier/operation/results.h"

enum { LISTENER_BYTES = 65536, LISTENER_KEEPALIVE_MS = 15000, LISTENER_LIFE_MS = 600000 };

struct listen {
    const char *operation; /* only its results, and those that are there already; NULL: of all */
    const char *events;    /* patterns of types; NULL or "": all */
    const char *after;     /* Last-Event-ID; NULL: begins anew */
    const struct caller *caller;
    struct MHD_Connection *connection; /* lent as long as the response, which is of no other connection */
};

struct operation_streams;

/* most: listeners at a time; a token has a quarter of them. */
struct operation_streams *operation_streams_new(size_t most);
void operation_streams_free(struct operation_streams *all); /* all responses are gone */

/*
 * Whether what is asked for makes sense; all of `what` is lent for the call. NULL: the status, with err: 400, or 503,
 * as there are too many.
 */
struct MHD_Response *operation_streams_open(struct operation_streams *all, const struct listen *what, unsigned *status,
                                            struct error *err) must_check;

/* From the feed, once, before the first entry: the one that was there last. Who begins anew hears what comes after. */
void operation_streams_begin(struct operation_streams *all, const char *last);

/* From the feed's thread: an entry that is new, in the order of their ids. */
void operation_streams_take(struct operation_streams *all, const struct reply *entry);

/*
 * From the feed's thread, again and again: who is behind is read for, who heard nothing for long is told that there is
 * somebody. True: there is more to be read at once.
 */
bool operation_streams_look(struct operation_streams *all, struct redis *r);

/* All streams end, and no other begins. */
void operation_streams_close(struct operation_streams *all);

#endif
