/*
 * notifier/prepare.h - what is done to an event's data at the door, in the order of `prepare = ...`.
 *
 * ignore     drops an event whose data.user_agent is on ignore_agents_file, or data.ip_address in ignore_networks
 * previews   drops the download that a file's own preview page makes: data.referrer ends in
 *            /records/<data.recid>/preview/<data.file_key>, whatever its query
 * robots     drops an event whose data.user_agent is a robot's by the rules, or sets data.is_robot (robots = flag);
 *            is_robot is false for all others
 * machines   sets data.is_machine likewise, or drops
 * via-api    data.via_api becomes a truth value; absent is false
 * country    data.country, of data.ip_address: null where it is not known; untouched where there is no address
 * visitor    data.visitor_id and data.unique_session_id, see notifier/visitor.h
 * record-id  data.unique_id = ui_<data.recid>, of events with via_api api_<data.recid>
 * file-id    data.unique_id = <data.bucket_id>_<data.file_id>
 * timestamp  data.timestamp = the event's time in UTC, to the second, without zone
 *
 * After the steps all that is personal is gone from data (notifier/personal.h); then what `fields` does not name, where
 * it names anything; data.agent_class comes last. One thread at a time.
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

enum prepared {
    PREPARED_KEEP,
    PREPARED_ROBOT,
    PREPARED_MACHINE,
    PREPARED_IGNORED, /* never counted, as the operator says */
    PREPARED_PREVIEW,
    PREPARED_FAILED,
};

/* es: NULL for a type without section. strip: personal fields go even without a step (KIND_COUNTS_PEOPLE). */
struct prepare *prepare_new(const struct event_settings *es, bool strip, struct redis *redis,
                            struct error *err) must_check;
void prepare_free(struct prepare *p);
bool prepare_check(const char *steps, struct error *err); /* for configuration rows */

/* Whether the files that the steps of an event section need can be read. */
bool prepare_files_check(const void *event_settings, struct error *err);

/* Changes data in place. FAILED: ERROR_AGAIN (no salt to be had) or ERROR_INPUT. */
enum prepared prepare_apply(struct prepare *p, const struct event *e, json_t *data, struct error *err);

#endif
