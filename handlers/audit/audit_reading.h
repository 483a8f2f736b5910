/* handlers/audit/audit_reading.h - that somebody reads the audit, which is for the audit, too: crier.audit.searched. */
#ifndef HANDLERS_AUDIT_AUDIT_READING_H
#define HANDLERS_AUDIT_AUDIT_READING_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/audit/audit_search.h"
#include "notifier/deed.h"

/*
 * Notes who is about to read entries, and which; deed_settle when they were read. actor "kind/id". NULL: it cannot be
 * noted (ERROR_AGAIN), so nothing is to be shown.
 */
struct deed *audit_reading_begin(const struct settings *s, struct redis *r, const struct audit_trail *t,
                                 const struct audit_filter *f, const char *actor, struct error *err) must_check;

/* The same as the deed of the verb, by the user at the command line. */
bool audit_reading_by_verb(const struct settings *s, const struct audit_trail *t, const struct audit_filter *f,
                           struct error *err) must_check;

#endif
