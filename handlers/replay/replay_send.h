/* handlers/replay/replay_send.h - a batch of events into the queues of chosen handlers, each event for one of them. */
#ifndef HANDLERS_REPLAY_REPLAY_SEND_H
#define HANDLERS_REPLAY_REPLAY_SEND_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/replay/replay.h"
#include "notifier/event.h"

/* Whether a handler asks for events of the type. */
bool replay_wants(const struct settings *s, const struct handler_settings *hs, struct span type);

/* Each event to each handler that asks for it; counted in sent. False (ERROR_AGAIN): part of it may be there. */
bool replay_send(const struct replay_options *o, const struct event *events, size_t count, int64_t *sent,
                 struct error *err) must_check;

/* Waits until no queue of the handlers holds more than backlog_most events for its slowest handler. */
bool replay_wait(const struct replay_options *o, struct clock_run *run, struct error *err) must_check;

#endif
