/*
 * handlers/audit/audit_fields.h - what an event says for its audit entry: bounded, without what is personal or masked
 * where the options do not ask for it.
 *
 * data.before and data.after stand by themselves. Texts longer than `field` are cut with a mark that says how much.
 */
#ifndef HANDLERS_AUDIT_AUDIT_FIELDS_H
#define HANDLERS_AUDIT_AUDIT_FIELDS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/audit/audit_options.h"
#include "notifier/event.h"

/* All of it lent until the next reading. Objects are NULL where there are none. */
struct audit_fields {
    struct span action, outcome, actor_name;
    struct span on_behalf_of; /* "kind/id" */
    const json_t *before, *after;
    const json_t *request; /* {"ip", "user_agent", "session"}, what there is of it */
    const json_t *data;    /* what is left of it; NULL: plain holds it */
    struct span plain;     /* an event's data as it came, as nothing had to be done to it; length 0: none */
};

struct audit_reader;

struct audit_reader *audit_reader_new(const struct audit_options *o, struct error *err) must_check; /* NULL: CONFIG */
void audit_reader_free(struct audit_reader *r);                                                     /* NULL is fine */

/* False (ERROR_INPUT): the event lacks what its action needs. One of the service itself has its type for it then. */
bool audit_reader_read(struct audit_reader *r, const struct event *e, struct audit_fields *out,
                       struct error *err) must_check;

#endif
