/*
 * handlers/retain.h - audit entries, or the events of a history, are kept as long as they have to be, each action (an
 * event: its type) for a time of its own.
 *
 * By the clock. The file of the audit is never cut.
 */
#ifndef HANDLERS_RETAIN_H
#define HANDLERS_RETAIN_H

#include "handlers/handler.h"

extern const struct handler_type retain_handler;

#endif
