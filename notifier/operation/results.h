/*
 * notifier/operation/results.h - the stream of results (operations.h), read from where one was.
 */
#ifndef NOTIFIER_OPERATION_RESULTS_H
#define NOTIFIER_OPERATION_RESULTS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/redis.h"

enum { RESULTS_READ_MOST = 200, RESULT_ID_BYTES = 48 };

struct results {
    const struct reply *entries; /* at most RESULTS_READ_MOST; in the arena, as gap_to */
    const char *gap_to; /* entries after where one was are gone, before this one; NULL: none that is known of */
};

/*
 * after: the id of an entry that was there, or 0-0. Where that entry is gone and the first there is came right after
 * it, a gap is told of that is none. Where nothing is kept any more nothing is known of a gap.
 */
bool results_read(struct redis *r, struct arena *arena, const char *after, struct results *out,
                  struct error *err) must_check;

/* "1732-0": as Redis writes ids. */
bool result_id_check(const char *id);
bool result_is_later(const char *id, const char *than);

/* {"operation":...,} and what the entry says of an event at a handler; without the operation where it has none. False:
 * it is no result. */
bool result_add_json(const struct reply *entry, struct buf *out);

#endif
