/* notifier/emit.h - what `crier emit` does; scheduler/verb_emit.c adds what only the layers above can. */
#ifndef NOTIFIER_EMIT_H
#define NOTIFIER_EMIT_H

#include "config/verb.h"
#include "notifier/emit_operation.h"

/* An exit code. */
int emit(struct verb_call *call, make_searchable *make);

#endif
