/*
 * notifier/door_events.h - one POST /events: from its headers and body to an answer, without HTTP's machinery.
 *
 * A body of several events is cut into its events before any is parsed, so that memory follows the largest event, not
 * the body, and one event's mistake stays its own.
 */
#ifndef NOTIFIER_DOOR_EVENTS_H
#define NOTIFIER_DOOR_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/counters.h"
#include "config/settings.h"
#include "notifier/door_binary.h"
#include "notifier/intake.h"

enum event_form {
    FORM_UNKNOWN,
    FORM_STRUCTURED, /* one CloudEvent */
    FORM_BATCH,      /* an array of them */
    FORM_BINARY,     /* attributes in headers, data as the body */
    FORM_JSON,       /* one object or an array */
    FORM_LINES,      /* an object a line */
};

struct events_request {
    enum event_form form;
    const struct header *headers; /* for FORM_BINARY: as binary_read takes them */
    size_t header_count;
    const char *admitted;        /* patterns of the types that the sender may send; "": all */
    const char *operation;       /* that all belong to; "new": one is made; NULL: none is asked for */
    bool hurries;                /* somebody waits for what becomes of them */
    const char *idempotency_key; /* NULL: none; the id of one event in the short form that has none of its own */
    const char *body;
    size_t length;
};

struct events_door {
    const struct settings *settings;
    struct counter *outcomes[INTAKE_UNAVAILABLE + 1];
};

/* binary: the request has a ce-specversion header. content_type NULL: none given. */
enum event_form events_form(const char *content_type, bool binary);

void events_door_init(struct events_door *d, const struct settings *settings);

/* Writes the answer, JSON, and returns its status. */
unsigned events_take(struct events_door *d, struct intake *in, const struct events_request *request, struct buf *reply);

#endif
