/* notifier/guard.h - whether a Redis keeps what it is given. */
#ifndef NOTIFIER_GUARD_H
#define NOTIFIER_GUARD_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"

/*
 * ERROR_CONFIG, with what to change: older than 7.0, no append-only file, or a maxmemory-policy that evicts.
 * ERROR_AGAIN: it does not answer.
 */
bool guard_check(struct redis *r, struct error *err) must_check;

#endif
