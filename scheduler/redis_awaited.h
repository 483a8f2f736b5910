/* scheduler/redis_awaited.h - before the service begins: whether Redis is there, and keeps what it is given. */
#ifndef SCHEDULER_REDIS_AWAITED_H
#define SCHEDULER_REDIS_AWAITED_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/verb.h"

/*
 * One that is not there yet is waited for, by the configuration of the file after SIGHUP; one that may forget is
 * refused, unless `unsafe = yes`. False, and *stopped: a signal ended the waiting.
 */
bool redis_is_safe(const struct verb_call *call, bool *stopped, struct error *err) must_check;

#endif
