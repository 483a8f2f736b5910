/* scheduler/audit_search_call.h - `crier audit search`. */
#ifndef SCHEDULER_AUDIT_SEARCH_CALL_H
#define SCHEDULER_AUDIT_SEARCH_CALL_H

#include "config/verb.h"

/* call->argv is what follows "search". Returns an exit code. */
int audit_search_call(struct verb_call *call);

#endif
