/*
 * notifier/door.h - the HTTP door: POST /events in all forms, and pages that others give (health, metrics, statistics).
 *
 * POST /events takes the CloudEvents HTTP binding 1.0.2 in its three modes (structured application/cloudevents+json,
 * batched application/cloudevents-batch+json, binary by ce- headers), the short form, a CloudEvent or a change
 * notification (notifier/notification.h) as application/json (object or array), application/x-ndjson, each also
 * gzipped. Answers 202 once Redis has it, 400 with the reason and position, 401 and 403 (notifier/access), 413, 415,
 * 503 with Retry-After; for several events, as a notification's records are, a JSON array with an outcome for each.
 */
#ifndef NOTIFIER_DOOR_H
#define NOTIFIER_DOOR_H

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "notifier/door_page.h"
#include "notifier/operation/operation_feed.h"

struct door;

/* pages end with a zero row. Binds at once; NULL: ERROR_CONFIG with address and the system's word. */
struct door *door_open(const struct settings *settings, const struct door_page *pages, struct error *err) must_check;

/* The same with a feed (lent, until the door is closed), by which POST /events?wait= is answered; NULL: it is not. */
struct door *door_open_fed(const struct settings *settings, const struct door_page *pages, struct operation_feed *feed,
                           struct error *err) must_check;
int door_port(const struct door *d); /* the bound one, where the configuration says 0 */

/* Appends what an operator should look after: the certificate; nothing where all is well. */
void door_add_trouble(struct door *d, struct buf *out);

/* No new request is taken; those under way are answered. */
void door_close(struct door *d);

#endif
