/*
 * handlers/webhook/webhook_roster.h - the targets of a handler of type webhook, and the crew that sends to them: the
 * one of its section, or the subscriptions there are by now.
 *
 * A change of a subscription counts for the next event that is handled, and within a second for what waits.
 * Subscriptions that stay as they are are not disturbed by changes of others.
 */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_ROSTER_H
#define HANDLERS_WEBHOOK_WEBHOOK_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/webhook/webhook_crew.h"
#include "notifier/event.h"

struct webhook_roster;

/* All lent. NULL: ERROR_CONFIG. */
struct webhook_roster *webhook_roster_new(const struct settings *s, const struct handler_settings *hs,
                                          struct error *err) must_check;

/* Ends the crew; what it has under way ends within its time limit. NULL is fine. */
void webhook_roster_free(struct webhook_roster *r);

/* Keeps a delivery of each event for every target that wants it, and wakes who is to send it. ERROR_AGAIN: not all. */
bool webhook_roster_take(struct webhook_roster *r, const struct event *const *events, size_t count, struct arena *arena,
                         struct error *err) must_check;

#endif
