/*
 * notifier/prepare.h - what is done to an event's data at the door, in the order of `prepare = ...`.
 *
 * robots    drops an event whose data.user_agent is on the robots list; else data.is_robot = false
 * machines  data.is_machine = whether data.user_agent is on the machines list
 * visitor   data.visitor_id and data.unique_session_id by a keyed hash with the day's salt, from the user id, else the
 *           session id, else IP address and user agent
 *
 * After the steps ip_address, user_agent, user_id and session_id are gone from data. One thread at a time.
 */
#ifndef NOTIFIER_PREPARE_H
#define NOTIFIER_PREPARE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"
#include "notifier/event.h"

struct prepare;

enum prepared { PREPARED_KEEP, PREPARED_ROBOT, PREPARED_FAILED };

/* es: NULL for a type without section. strip: personal fields go even without a step (KIND_COUNTS_PEOPLE). */
struct prepare *prepare_new(const struct event_settings *es, bool strip, struct redis *redis,
                            struct error *err) must_check;
void prepare_free(struct prepare *p);
bool prepare_check(const char *steps, struct error *err); /* for configuration rows */

/* Whether the lists that the steps of an event section need can be read. */
bool prepare_files_check(const void *event_settings, struct error *err);

/* Changes data in place. FAILED: ERROR_AGAIN (no salt to be had) or ERROR_INPUT. */
enum prepared prepare_apply(struct prepare *p, const struct event *e, json_t *data, struct error *err);

/* Takes the four personal fields out of data. */
void prepare_strip(json_t *data);

#endif
