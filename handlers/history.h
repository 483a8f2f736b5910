/*
 * handlers/history.h - every event of a queue as a document, to be asked for and sent again (crier history, GET
 * /history, crier replay --history).
 *
 * A document is the event as a line of an archive has it (notifier/archived.h), under its unique id; its version is
 * the event's time, so that an event that comes again is refused by OpenSearch at a quarter of a write's cost, and of
 * several with one id the latest in time stays. `data` is kept and not indexed.
 */
#ifndef HANDLERS_HISTORY_H
#define HANDLERS_HISTORY_H

#include "handlers/handler.h"

/* Member of a document whose event's data was left out: how many bytes it had. */
#define HISTORY_LEFT_OUT "crierleftout"

extern const struct handler_type history_handler;

#endif
