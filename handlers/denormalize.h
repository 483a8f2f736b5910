/* handlers/denormalize.h - a changed subject reaches every document that holds a copy of it. */
#ifndef HANDLERS_DENORMALIZE_H
#define HANDLERS_DENORMALIZE_H

#include "handlers/handler.h"

extern const struct handler_type denormalize_handler;

#endif
