/* handlers/record.h - the subject's own document indexed or deleted, from the event or from a source. */
#ifndef HANDLERS_RECORD_H
#define HANDLERS_RECORD_H

#include "handlers/handler.h"

extern const struct handler_type record_handler;

#endif
