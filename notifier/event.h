/*
 * notifier/event.h - an event: CloudEvents 1.0 attributes and the crier extensions, as spans of text.
 *
 * The same struct at the door, where the spans lie in the intake's arena, and at the worker, where they lie in the
 * reply from the stream. A stream entry holds the attributes as its fields; `data` is JSON text, already prepared.
 */
#ifndef NOTIFIER_EVENT_H
#define NOTIFIER_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/redis.h"
#include "base/text.h"

enum { REVISION_NONE = -1 };

struct event {
    struct span id, source, type;
    struct span time;    /* RFC 3339 in UTC */
    struct span subject; /* "kind/id"; length 0: none, as for all that follow */
    struct span actor;   /* "kind/id" */
    struct span operation, traceparent;
    struct span data;   /* a JSON object, compact */
    struct span unique; /* the computed unique id, hexadecimal */
    struct span click;  /* hexadecimal: the same for clicks of one visitor on one thing; none: not to be told apart */
    struct span only;   /* a replayed event: the one handler it is for */
    int64_t time_us;
    int64_t revision;
    bool latest_wins; /* unique was computed from fields: of several with one id the latest in time stays */
};

/* Nothing set: what an event is before it is read. */
extern const struct event event_none;

/* The two sides of "kind/id"; where there is no slash all of it is the id. */
struct span reference_id(struct span reference);
struct span reference_kind(struct span reference);

struct span event_subject_id(const struct event *e);
struct span event_subject_kind(const struct event *e);

/* The event's attributes as field, value, field, value ... of a stream entry; returns how many words were added. */
size_t event_add_fields(const struct event *e, struct args *args);

/* From the fields of a stream entry; unknown ones are left aside. Spans are lent by the reply. */
bool event_from_fields(struct event *e, const struct reply *fields, struct error *err) must_check;

/* As CloudEvents JSON, for people and for programs outside. */
void event_add_json(const struct event *e, struct buf *out);

/* With more members before the data, each written as ",\"name\":value". */
void event_add_json_more(const struct event *e, struct span more, struct buf *out);

/* An attribute by its name ("type", "subject", "revision" ...), as text; scratch holds numbers. False: no such name. */
bool event_attribute(const struct event *e, const char *name, struct span *out, struct buf *scratch);

/* The names event_attribute knows, NULL-ended. */
extern const char *const event_attribute_names[];

#endif
