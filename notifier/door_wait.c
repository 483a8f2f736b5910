#include "notifier/door_wait.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "config/key.h"
#include "config/value.h"

bool door_wait_read(struct door_wait *w, const char *text, struct error *err)
{
    static const struct config_key key = {
        .name = "wait", .type = CONFIG_TIME, .least = 1, .most = OPERATION_WAIT_MS_MOST};

    return !text || config_value_set(&key, text, &w->most_ms, err) || error_in(err, "wait");
}

bool door_wait_begin(struct door_wait *w, struct operation_feed *feed, struct intake *in, const struct caller *caller,
                     struct MHD_Connection *c)
{
    struct span operation = intake_operation(in);

    if (w->most_ms == 0 || !feed || operation.length == 0)
        return false;
    w->operation = xstrndup(operation.text, operation.length);
    w->place = (struct operation_wait){.operation = w->operation,
                                       .caller = caller,
                                       .connection = c,
                                       .answer = &w->known,
                                       .until_ms = clock_monotonic_ms() + w->most_ms};
    return operation_feed_wait(feed, &w->place);
}

/* What GET /operations/ID does not tell is not told here, either: who may only send hears how far it is, and no more.
 */
static const char *may_know(const struct door_wait *w)
{
    char *rest = w->known.length ? strstr(w->known.data, ",\"state\":") : NULL;
    char *pairs = rest ? strstr(rest, ",\"handlers\":") : NULL;

    if (pairs && !(w->place.caller->scopes & SCOPE_EVENTS_READ))
        memcpy(pairs, "}\n", sizeof "}\n");
    return rest;
}

unsigned door_wait_end(struct door_wait *w, struct buf *answer)
{
    const char *rest = may_know(w);

    while (rest && answer->length > 0 && strchr("}\n", answer->data[answer->length - 1]))
        answer->data[--answer->length] = '\0';
    if (rest) {
        buf_printf(answer, ",\"searchable\":%s", w->place.status == MHD_HTTP_OK ? "true" : "false");
        buf_add_text(answer, rest);
    }
    return w->place.status;
}

void door_wait_release(struct door_wait *w)
{
    buf_release(&w->known);
    free(w->operation);
}
