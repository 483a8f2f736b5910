/*
 * notifier/door.h - the HTTP door: POST /events in all forms, and pages that others give (health, metrics, statistics).
 *
 * POST /events takes the CloudEvents HTTP binding 1.0.2 in its three modes (structured application/cloudevents+json,
 * batched application/cloudevents-batch+json, binary by ce- headers), the short form or a CloudEvent as
 * application/json (object or array), application/x-ndjson, each also gzipped. Answers 202 once Redis has it, 400 with
 * the reason and position, 413, 415, 503 with Retry-After; for several events a JSON array with an outcome for each.
 */
#ifndef NOTIFIER_DOOR_H
#define NOTIFIER_DOOR_H

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/settings.h"

/*
 * A page: fills body, returns the HTTP status.
 *
 * render answers GET, at once, from the door's threads. answer, given instead of it, takes POST with a JSON body of at
 * most body_bytes and may take its time: a few threads beside the door's call it, and events pass by meanwhile.
 */
struct door_page {
    const char *path, *content_type;
    unsigned (*render)(void *context, struct buf *body);
    unsigned (*answer)(void *context, const char *bytes, size_t length, struct buf *body);
    void *context;
    int64_t body_bytes;
};

struct door;

/* pages end with a zero row. Binds at once; NULL: ERROR_CONFIG with address and the system's word. */
struct door *door_open(const struct settings *settings, const struct door_page *pages, struct error *err) must_check;
int door_port(const struct door *d); /* the bound one, where the configuration says 0 */

/* No new request is taken; those under way are answered. */
void door_close(struct door *d);

#endif
