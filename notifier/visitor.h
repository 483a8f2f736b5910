/*
 * notifier/visitor.h - who visited, without saying who: data.visitor_id and data.unique_session_id.
 *
 * Both by a keyed hash with the day's salt. The visitor is the user id, else the session id, else IP address and user
 * agent together with the hour, else nobody (""). The session is the same with the hour (COUNTER: a session without an
 * id of its own is an hour of a visitor). One thread at a time.
 */
#ifndef NOTIFIER_VISITOR_H
#define NOTIFIER_VISITOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"

struct visitor;

struct visitor *visitor_new(struct redis *redis); /* as salt_new has it */
void visitor_free(struct visitor *v);

/* Sets both in data. False: ERROR_AGAIN, no salt to be had. */
bool visitor_set(struct visitor *v, int64_t time_us, json_t *data, struct error *err) must_check;

#endif
