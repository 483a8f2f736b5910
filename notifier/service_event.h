/*
 * notifier/service_event.h - what the service itself did, as an event like any other: type crier.*, on its way to the
 * handlers that keep account of it.
 */
#ifndef NOTIFIER_SERVICE_EVENT_H
#define NOTIFIER_SERVICE_EVENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"

/*
 * type: past tense, after "crier." ("dead.retried"); subject "kind/id"; data is taken over and may be NULL. actor
 * "kind/id"; NULL is the user at the command line, whose deed is said first: where it cannot be recorded, it is not
 * done.
 */
bool service_event_send(const struct settings *s, struct redis *r, const char *type, const char *subject,
                        const char *actor, json_t *data, struct error *err) must_check;

#endif
