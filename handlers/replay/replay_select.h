/* handlers/replay/replay_select.h - which events a replay is about. */
#ifndef HANDLERS_REPLAY_REPLAY_SELECT_H
#define HANDLERS_REPLAY_REPLAY_SELECT_H

#include <stdbool.h>

#include "handlers/replay/replay.h"
#include "notifier/event.h"

/* By its time, type and subject; what else a history is asked for is its query's. */
bool replay_selects(const struct replay_options *o, const struct event *e);

#endif
