/*
 * notifier/intake.h - the one way in, whatever the door: check, prepare, unique id, append once.
 *
 * A batch is built event by event, then sent in one go; each event has an outcome. One thread at a time.
 */
#ifndef NOTIFIER_INTAKE_H
#define NOTIFIER_INTAKE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "notifier/event.h"

enum intake_outcome {
    INTAKE_ACCEPTED,
    INTAKE_DUPLICATE,
    INTAKE_ROBOT, /* taken and left out of the counts, as its section says; as the next three */
    INTAKE_MACHINE,
    INTAKE_IGNORED,     /* on a list of those that are never counted */
    INTAKE_PREVIEW,     /* a preview page's own download */
    INTAKE_NOT_WANTED,  /* no queue asks for this type: counted, not an error */
    INTAKE_REFUSED,     /* ERROR_INPUT: the sender must change it */
    INTAKE_UNAVAILABLE, /* ERROR_AGAIN: the same again later */
};

struct intake_result {
    enum intake_outcome outcome;
    const char *id;     /* the event's own id, "" where not known; lent until the next intake_start */
    const char *reason; /* of REFUSED and UNAVAILABLE; lent likewise */
};

struct intake;

/* Own link to Redis. NULL: ERROR_CONFIG (a robots list that cannot be read). */
struct intake *intake_new(const struct settings *settings, struct error *err) must_check;
void intake_free(struct intake *in);

/* The same checks and preparation, but nothing reaches Redis: salts are made up, whatever passes counts as accepted. */
struct intake *intake_new_checking(const struct settings *settings, struct error *err) must_check;

void intake_start(struct intake *in);

/* Until the next intake_start: events of other types than these patterns match are refused. "" and NULL: none are. */
void intake_admit(struct intake *in, const char *patterns);

/*
 * Likewise: all events belong to one operation, which those without get; "": the first event's, or a new one. One that
 * has another is refused.
 */
void intake_operate(struct intake *in, const char *id);
void intake_hurry(struct intake *in); /* likewise: somebody waits, and they go to the heads of their queues */
struct span intake_operation(const struct intake *in); /* lent until the next intake_start; length 0: none */

void intake_add_json(struct intake *in, const json_t *object);             /* borrowed */
void intake_add_text(struct intake *in, const char *bytes, size_t length); /* one JSON object */
/* An envelope already read (binary mode, emit's arguments); takes data over. */
void intake_add_event(struct intake *in, struct event *e, json_t *data);
void intake_add_refused(struct intake *in, const char *reason);
struct arena *intake_arena(struct intake *in);
size_t intake_count(const struct intake *in);

/* Sends what was added; results[0..count) are lent until the next intake_start. */
const struct intake_result *intake_send(struct intake *in);

const char *intake_outcome_name(enum intake_outcome o);

#endif
