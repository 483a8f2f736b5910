/*
 * notifier/visitor.h - who visited, without saying who: data.visitor_id and data.unique_session_id.
 *
 * The visitor is the user id, else the session id, else IP address and user agent together with the hour, else nobody.
 * The session is the same with the hour (COUNTER: a session without an id of its own is an hour of a visitor).
 *
 * keyed      both by HMAC-SHA-256 with the day's salt, cut to 128 bits; nobody is ""
 * reference  both as invenio-stats makes them: SHA-224 of the day's salt and the text; nobody is the salt's own hash
 *
 * One thread at a time.
 */
#ifndef NOTIFIER_VISITOR_H
#define NOTIFIER_VISITOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"

struct visitor;

struct visitor *visitor_new(struct redis *redis, enum visitor_form form); /* redis: as salt_new has it */
void visitor_free(struct visitor *v);

/* Sets both in data. False: ERROR_AGAIN, no salt to be had. */
bool visitor_set(struct visitor *v, int64_t time_us, json_t *data, struct error *err) must_check;

/* The form reference under a salt that is known. */
void visitor_set_reference(struct visitor *v, const char *salt, int64_t time_us, json_t *data);

#endif
