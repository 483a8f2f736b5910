/* handlers/statistics.h - events become documents, one per unique id. */
#ifndef HANDLERS_STATISTICS_H
#define HANDLERS_STATISTICS_H

#include "handlers/handler.h"

extern const struct handler_type statistics_handler;

#endif
