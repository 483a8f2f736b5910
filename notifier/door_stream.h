/* notifier/door_stream.h - GET /stream and GET /operations/ID/stream: results as they come, as Server-Sent Events. */
#ifndef NOTIFIER_DOOR_STREAM_H
#define NOTIFIER_DOOR_STREAM_H

#include <microhttpd.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "notifier/door_page.h"
#include "notifier/operation/operation_feed.h"

/* Zero before; released with the request. */
struct door_stream {
    bool asked;
    char *operation;           /* NULL: of all */
    const char *last_event_id; /* lent; NULL: none */
};

/* Whether the path is one of the two. */
bool door_stream_is(struct door_stream *s, const char *path);

/* NULL: refusal is the answer, with its status. request: arguments and caller. */
struct MHD_Response *door_stream_open(const struct door_stream *s, struct operation_feed *feed,
                                      const struct page_request *request, struct MHD_Connection *c, unsigned *status,
                                      struct buf *refusal) must_check;

void door_stream_release(struct door_stream *s);

#endif
