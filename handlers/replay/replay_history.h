/*
 * handlers/replay/replay_history.h - the events of a history in the order of their time, one by one, from any of them
 * on.
 *
 * A page of them is in memory at a time.
 */
#ifndef HANDLERS_REPLAY_REPLAY_HISTORY_H
#define HANDLERS_REPLAY_REPLAY_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/replay/replay.h"
#include "handlers/replay/replay_position.h"

struct replay_history;

/* after: the place of the event that was the last; path "": from the beginning. Not needed any more afterwards. */
struct replay_history *replay_history_open(const struct replay_options *o, const struct replay_position *after);
void replay_history_close(struct replay_history *h); /* NULL is fine */

/* The next, as its document has it, and its place; both lent until the next call. NULL after the last. */
bool replay_history_next(struct replay_history *h, const json_t **document, struct replay_position *at,
                         struct error *err) must_check;

/* How many there are, at the moment. */
bool replay_history_count(const struct replay_options *o, int64_t *count, struct error *err) must_check;

#endif
