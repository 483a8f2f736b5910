/* notifier/outbox/outbox_report.h - each [outbox], as `crier status` and `crier check --online` show it. */
#ifndef NOTIFIER_OUTBOX_OUTBOX_REPORT_H
#define NOTIFIER_OUTBOX_OUTBOX_REPORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/settings.h"

/* Lines for people, or a JSON array. False: one of the databases does not answer, which stands there too. */
bool outbox_report_add(const struct settings *s, bool json, struct buf *out);

/* A line for each on standard output; false: err is of the first that is not as it must be. */
bool outbox_report_check(const struct settings *s, struct error *err);

#endif
