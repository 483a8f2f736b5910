/* notifier/access/scope.h - what somebody at the door may do: words of tokens and pages. */
#ifndef NOTIFIER_ACCESS_SCOPE_H
#define NOTIFIER_ACCESS_SCOPE_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

enum scope {
    SCOPE_NONE = 0, /* anybody may: whether the service lives */
    SCOPE_EMIT = 1,
    SCOPE_EVENTS_READ = 2,
    SCOPE_STATS_READ = 4,
    SCOPE_AUDIT_READ = 8,
    SCOPE_METRICS_READ = 16,
    SCOPE_WEBHOOKS = 32,
    SCOPE_ADMIN = 64, /* everything */
    SCOPE_MAIL = 128,
    SCOPE_ALL = 255,
};

/* Words as "emit stats:read", separated by spaces. False (ERROR_INPUT): names the word, and the nearest known one. */
bool scopes_read(const char *words, unsigned *scopes, struct error *err) must_check;

/* The words again. */
void scopes_add(unsigned scopes, struct buf *out);

#endif
