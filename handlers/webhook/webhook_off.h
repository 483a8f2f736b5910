/*
 * handlers/webhook/webhook_off.h - a target fails for long or is turned off, and whom it concerns is told: by the log,
 * and by the events crier.webhook.failing {percent, since} and crier.webhook.disabled, each with {handler, host, owner,
 * owner_mail, reason}, which reach the audit, and a mail handler whose queue names them.
 */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_OFF_H
#define HANDLERS_WEBHOOK_WEBHOOK_OFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/redis.h"
#include "config/settings.h"
#include "handlers/webhook/webhook_store.h"
#include "handlers/webhook/webhook_target.h"

/* Said once, by whoever was first. */
bool webhook_turn_off(const struct settings *s, struct redis *r, struct webhook_store *store,
                      const struct webhook_target *t, const char *reason, struct error *err) must_check;

/* How far it is on its way to being turned off, after failing so long; 100: it is to be. */
int webhook_failing_percent(int64_t failing_us);

/* The highest of 90, 70 and 50 that percent has reached; 0: none. */
int webhook_warning_of(int percent);

/* Warns once of each. reason: why the last attempt failed. */
bool webhook_warn_owner(const struct settings *s, struct redis *r, struct webhook_store *store,
                        const struct webhook_target *t, int warning, int64_t since_us, const char *reason,
                        struct error *err) must_check;

#endif
