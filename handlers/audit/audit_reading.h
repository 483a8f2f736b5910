/* handlers/audit/audit_reading.h - that somebody reads the audit, which is for the audit, too: crier.audit.searched. */
#ifndef HANDLERS_AUDIT_AUDIT_READING_H
#define HANDLERS_AUDIT_AUDIT_READING_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/audit/audit_search.h"

/*
 * Says who is about to read entries, and which. actor "kind/id"; NULL is the user at the command line. False: it cannot
 * be recorded (ERROR_AGAIN), so nothing is to be shown. Makes a link to Redis of its own: any thread may call it.
 */
bool audit_reading_say(const struct settings *s, const struct audit_trail *t, const struct audit_filter *f,
                       const char *actor, struct error *err) must_check;

#endif
