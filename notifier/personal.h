/*
 * notifier/personal.h - what tells who it was: data.ip_address, user_agent, user_id and session_id, and whose events
 * they are taken out of. Where a section prepares its events, their actor goes, too.
 */
#ifndef NOTIFIER_PERSONAL_H
#define NOTIFIER_PERSONAL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"
#include "config/settings.h"

bool personal_in(const json_t *data); /* whether it holds one of the four fields; NULL holds none */
void personal_strip(json_t *data);

/* Whether the type's section has steps: those are what a sender tells it for, and after them it is gone. */
bool personal_prepared(const struct settings *s, const char *type);

/* Whether events of the type reach a queue where people are counted (KIND_COUNTS_PEOPLE). */
bool personal_counted(const struct settings *s, struct span type);

#endif
