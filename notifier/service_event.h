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
 * type: past tense, after "crier." ("lease.taken"), one of notifier/service_action.h; subject "kind/id"; data is taken
 * over and may be NULL. actor "kind/id"; NULL is the user at the command line. What somebody has the service do, and
 * may fail, is a deed: notifier/deed.h.
 */
bool service_event_send(const struct settings *s, struct redis *r, const char *type, const char *subject,
                        const char *actor, json_t *data, struct error *err) must_check;

/*
 * What the service itself says of what it finds, which may find it again after a crash: of the same type, subject and
 * once it is the same event, and taken once.
 */
bool service_event_send_once(const struct settings *s, struct redis *r, const char *type, const char *subject,
                             const char *once, json_t *data, struct error *err) must_check;

/* The same event, written down to be sent later, as text without a NUL in it; yours to free. */
char *service_event_note(const char *type, const char *subject, const char *actor, json_t *data);

/* Sends it, with more members in its data; more is taken over and may be NULL. Sent again it is the same event. */
bool service_event_send_noted(const struct settings *s, struct redis *r, const char *note, json_t *more,
                              struct error *err) must_check;

#endif
