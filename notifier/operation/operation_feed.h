/*
 * notifier/operation/operation_feed.h - hears what becomes of operations, in whatever process: for those that wait, and
 * those that listen.
 *
 * One thread of a process reads the stream of results.
 */
#ifndef NOTIFIER_OPERATION_OPERATION_FEED_H
#define NOTIFIER_OPERATION_OPERATION_FEED_H

#include <stdbool.h>

#include "base/attrs.h"
#include "config/settings.h"
#include "notifier/operation/operation_streams.h"
#include "notifier/operation/operation_waits.h"

struct operation_feed;

struct operation_feed *operation_feed_start(const struct settings *s, const struct searchable *searchable);
void operation_feed_join(struct operation_feed *f); /* closes and ends it; NULL is fine */

/* As operation_waits_give. */
bool operation_feed_wait(struct operation_feed *f, struct operation_wait *w) must_check;

/* As operation_streams_open. */
struct MHD_Response *operation_feed_listen(struct operation_feed *f, const struct listen *what, unsigned *status,
                                           struct error *err) must_check;

/* Nobody waits or listens any more. NULL is fine. */
void operation_feed_close(struct operation_feed *f);

#endif
