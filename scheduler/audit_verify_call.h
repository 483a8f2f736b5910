/* scheduler/audit_verify_call.h - `crier audit verify`. */
#ifndef SCHEDULER_AUDIT_VERIFY_CALL_H
#define SCHEDULER_AUDIT_VERIFY_CALL_H

#include "config/verb.h"

/* call->argv is what follows "verify". Returns an exit code. */
int audit_verify_call(struct verb_call *call);

#endif
