/*
 * handlers/webhook.h - each event that a condition lets through is sent to a URL, signed, until it is taken; or to
 * those URLs that users subscribe it to (handlers/webhook/subscription.h).
 *
 * An event is done once its delivery is in Redis (handlers/webhook/webhook_store.h); the sending is a crew's of its
 * own. What the schedule of tries gives up becomes a dead letter of the queue, and `crier dead retry` sends it anew.
 * While a target is off, as it answered 410 or nothing came through for 120 hours, its events pass by and are counted;
 * what waits is kept 30 days, without the data where it is sent without: then its dead letter has none either.
 */
#ifndef HANDLERS_WEBHOOK_H
#define HANDLERS_WEBHOOK_H

#include "handlers/handler.h"

extern const struct handler_type webhook_handler;

/* For `crier check`, a line each: handlers whose subscriptions are not sealed. */
void webhook_say_unsealed(const struct settings *s, struct buf *out);

#endif
