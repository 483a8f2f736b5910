/*
 * scheduler/reload.h - SIGHUP: the service begins anew, as the same process, with the configuration of its file.
 *
 * A file with a mistake changes nothing, nor does one that names what is tried in vain: the log and the audit
 * (crier.configuration.refused) say what is wrong. What was loaded is said at the new beginning
 * (scheduler/configuration_said.h). Where that fails after all it is tried again: the service did run, and systemd
 * takes the exit code of a wrong configuration for the end.
 */
#ifndef SCHEDULER_RELOAD_H
#define SCHEDULER_RELOAD_H

#include <stdbool.h>

#include "base/attrs.h"
#include "config/verb.h"

/* Before the first thread: whether this process began before, so that this is the beginning after a SIGHUP. */
bool reload_is_anew(void);

/*
 * Whether the file can be taken as it is now: all that `crier check` finds, and, for the parts that run here, whether
 * the door can listen where it is to, and the audit file be opened.
 */
bool reload_is_good(const struct verb_call *call, bool door, bool handlers) must_check;

/*
 * Once the parts are drained, or at least what is left of them may be cut off. A file that no longer loads is waited
 * for. Does not return.
 */
_Noreturn void reload_begin(const struct verb_call *call);

/* The same, somewhat later, or at SIGHUP. */
_Noreturn void reload_begin_later(const struct verb_call *call);

#endif
