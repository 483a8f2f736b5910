/* handlers/audit.h - events become audit entries, in an index and in an append-only file. */
#ifndef HANDLERS_AUDIT_H
#define HANDLERS_AUDIT_H

#include "handlers/handler.h"

extern const struct handler_type audit_handler;

#endif
