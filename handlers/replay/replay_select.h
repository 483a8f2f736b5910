/* handlers/replay/replay_select.h - which events a replay is about. */
#ifndef HANDLERS_REPLAY_REPLAY_SELECT_H
#define HANDLERS_REPLAY_REPLAY_SELECT_H

#include <stdbool.h>

#include "base/hash.h"
#include "handlers/replay/replay.h"
#include "notifier/event.h"

/* By its time, type and subject; what else a history is asked for is its query's. */
bool replay_selects(const struct replay_options *o, const struct event *e);

/* Another for whatever makes another replay of it; the rate does not. */
void replay_choice_id(const struct replay_options *o, char out[ID_TEXT_BYTES]);

#endif
