/*
 * scheduler/configuration_said.h - the audit is told when the service starts with another configuration than before:
 * crier.configuration.loaded, with digests of what is in force (secrets hidden).
 */
#ifndef SCHEDULER_CONFIGURATION_SAID_H
#define SCHEDULER_CONFIGURATION_SAID_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"

/* Nothing is said of a start with what was in force before, on this machine and from this file. */
bool configuration_say(const struct settings *s, const struct config_outside *outside, struct error *err) must_check;

#endif
