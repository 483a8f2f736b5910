/*
 * notifier/operation/operation_waits.h - requests that wait until all handlers of an operation are done and what they
 * wrote can be searched.
 *
 * Their connections sleep meanwhile; two threads see to all of them: the feed's (operation_feed.h), which looks what
 * became of those of whose operation it heard, and one that asks for the refresh of the indices, for all that wait for
 * it together.
 */
#ifndef NOTIFIER_OPERATION_OPERATION_WAITS_H
#define NOTIFIER_OPERATION_OPERATION_WAITS_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/redis.h"
#include "notifier/operation/operations.h"
#include "notifier/operation/searchable.h"

enum { OPERATION_WAITS_MOST = 256, OPERATION_WAIT_MS_MOST = 60000 };

struct operation_wait {
    const char *operation; /* lent, as caller, connection and answer */
    const struct caller *caller;
    struct MHD_Connection *connection;
    struct buf *answer; /* gets what operation_show writes; empty where nothing is known */
    int64_t until_ms;   /* monotonic */
    unsigned status;    /* 0: it waits; 200: done and searchable; 202: not, or not in time */
    enum operation_fate fate;
    bool look; /* something may have become of it */
    struct operation_wait *next;
};

struct operation_waits;

struct operation_waits *operation_waits_new(const struct searchable *searchable);
void operation_waits_free(struct operation_waits *all); /* none waits any more */

/* Puts the connection to sleep until the answer is there. False: too many wait already, and nothing was done. */
bool operation_waits_give(struct operation_waits *all, struct operation_wait *w) must_check;

/* From the feed's thread. Something became of an operation; length 0: perhaps of any. */
void operation_waits_heard(struct operation_waits *all, struct span operation);

/* From the feed's thread, again and again: what is done goes on, what waited long enough is answered. */
void operation_waits_look(struct operation_waits *all, struct redis *r);

/* From now on nobody waits: those that do are answered soon, by operation_waits_look. Returns when they are. */
void operation_waits_close(struct operation_waits *all);

#endif
