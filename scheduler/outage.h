/*
 * scheduler/outage.h - one voice for all that notice that a peer is away: at most one line in 10 s for the process,
 * however many handlers stand still.
 */
#ifndef SCHEDULER_OUTAGE_H
#define SCHEDULER_OUTAGE_H

#include "base/attrs.h"

void outage_say(const char *format, ...) printf_like(1, 2);

#endif
