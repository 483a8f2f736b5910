#include "notifier/door_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"

#define OPERATIONS "/operations/"
#define STREAM     "/stream"

bool door_stream_is(struct door_stream *s, const char *path)
{
    size_t length = strlen(path), before = strlen(OPERATIONS), after = strlen(STREAM);

    if (strcmp(path, STREAM) == 0)
        return s->asked = true;
    if (!text_starts(path, OPERATIONS) || length <= before + after || strcmp(path + length - after, STREAM) != 0)
        return false;
    s->operation = xstrndup(path + before, length - before - after);
    return s->asked = true;
}

struct MHD_Response *door_stream_open(const struct door_stream *s, struct operation_feed *feed,
                                      const struct page_request *request, struct MHD_Connection *c, unsigned *status,
                                      struct buf *refusal)
{
    const char *after = s->last_event_id ? s->last_event_id : page_argument(request, "after");
    struct listen what = {.operation = s->operation,
                          .events = page_argument(request, "events"),
                          .after = after && *after ? after : NULL,
                          .caller = request->caller,
                          .connection = c};
    struct error err;
    struct MHD_Response *response = operation_feed_listen(feed, &what, status, &err);

    if (!response) {
        page_refuse(refusal, *status, "%s", err.text);
        return NULL;
    }
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    MHD_add_response_header(response, "Cache-Control", "no-cache");
    MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* nginx would keep them until there are enough */
    return response;
}

void door_stream_release(struct door_stream *s)
{
    free(s->operation);
}
