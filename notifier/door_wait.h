/* notifier/door_wait.h - POST /events?wait=5s: the answer comes when what was sent is done and can be searched. */
#ifndef NOTIFIER_DOOR_WAIT_H
#define NOTIFIER_DOOR_WAIT_H

#include <microhttpd.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "notifier/intake.h"
#include "notifier/operation/operation_feed.h"

/* Zero before the first call; released with the request. */
struct door_wait {
    int64_t most_ms; /* 0: it was not asked for */
    char *operation;
    struct buf known; /* of the operation, in the end */
    struct operation_wait place;
};

/* text: what was asked for, as "5s"; NULL: nothing was. */
bool door_wait_read(struct door_wait *w, const char *text, struct error *err) must_check;

/* After the events were sent. True: the connection sleeps, and the request is asked for again when the wait is over. */
bool door_wait_begin(struct door_wait *w, struct operation_feed *feed, struct intake *in, const struct caller *caller,
                     struct MHD_Connection *c) must_check;

/* Adds what became of the operation to the answer, which is an object of it; returns the status. */
unsigned door_wait_end(struct door_wait *w, struct buf *answer);

void door_wait_release(struct door_wait *w);

#endif
