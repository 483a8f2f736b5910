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
#include "base/text.h"
#include "config/settings.h"

/* Whether events of that type are the service's own. */
bool service_event_is(struct span type);

/*
 * type: past tense, after "crier." ("dead.retried"); subject "kind/id"; data is taken over and may be NULL. actor
 * "kind/id"; NULL is the user at the command line, whose deed is said first: where it cannot be recorded, it is not
 * done. type: one of notifier/service_action.h.
 */
bool service_event_send(const struct settings *s, struct redis *r, const char *type, const char *subject,
                        const char *actor, json_t *data, struct error *err) must_check;

/*
 * What the service itself says of what it finds, which may find it again after a crash: of the same type, subject and
 * once it is the same event, and taken once.
 */
bool service_event_send_once(const struct settings *s, struct redis *r, const char *type, const char *subject,
                             const char *once, json_t *data, struct error *err) must_check;

/*
 * The verb failed that said such a deed last: so did the deed, which is said, too. Nothing is said where there was
 * none, or where how it ended was said already (data.outcome). Called by the thread that runs the verb.
 */
bool service_event_deed_failed(const struct settings *s, int exit_code, const char *why, struct error *err) must_check;

#endif
