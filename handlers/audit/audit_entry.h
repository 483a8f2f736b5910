/*
 * handlers/audit/audit_entry.h - an audit entry as JSON, one line, with nothing in it that moves a cursor or turns text
 * around: control and bidirectional characters are written as \uXXXX.
 */
#ifndef HANDLERS_AUDIT_AUDIT_ENTRY_H
#define HANDLERS_AUDIT_AUDIT_ENTRY_H

#include "base/buf.h"
#include "handlers/audit/audit_fields.h"
#include "notifier/event.h"

/*
 * {"id","time","action","outcome","actor":{"kind","id","name"},"on_behalf_of":{"kind","id"},"resource":{"kind","id",
 *  "revision"},"operation","request":{...},"before","after","event":{"id","source","type"},"data"}
 *
 * One of more than 4 MiB has no request, before, after and data, but "left_out": their bytes.
 */
void audit_entry_add(const struct event *e, const struct audit_fields *f, struct buf *out);

/* The mapping of an index of them: "properties" of a strict mapping. */
extern const char audit_entry_properties[];

/* As the platform's audit log has it (invenio-audit-logs): id, uuid, version_id, @timestamp, updated, action, resource,
 * message, user, metadata. */
void audit_entry_add_invenio(const struct event *e, const struct audit_fields *f, struct buf *out);

#endif
