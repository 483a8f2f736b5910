/* notifier/untaken.h - what the configuration names and nothing takes: no mistake, as another file may, but worth a
 * word. */
#ifndef NOTIFIER_UNTAKEN_H
#define NOTIFIER_UNTAKEN_H

#include "base/buf.h"
#include "config/settings.h"

/* A line each: types of events that [url] and [platform] name and no queue takes, an [audit] file nobody writes. */
void untaken_say(const struct settings *s, struct buf *out);

#endif
