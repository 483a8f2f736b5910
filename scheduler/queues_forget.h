/* scheduler/queues_forget.h - crier queues forget HANDLER: the groups of a handler that is in no configuration any
 * more. */
#ifndef SCHEDULER_QUEUES_FORGET_H
#define SCHEDULER_QUEUES_FORGET_H

#include "config/verb.h"

/*
 * Removes its group from every queue, with what waits for it there; as long as it is there, nothing behind it is
 * trimmed. A handler that is configured keeps its group. Where another configuration still has it, its workers make the
 * group anew, from the beginning of the stream: they are to be stopped first.
 */
int queues_forget(struct verb_call *call, const char *handler);

#endif
