/* scheduler/verbs.h - the verbs about handlers at work: rows of main's table. */
#ifndef SCHEDULER_VERBS_H
#define SCHEDULER_VERBS_H

#include "config/verb.h"

int verb_serve(struct verb_call *call);
int verb_run(struct verb_call *call);
int verb_status(struct verb_call *call);
int verb_queues(struct verb_call *call);
int verb_handlers(struct verb_call *call);
int verb_dead(struct verb_call *call);

/* What only the layers left of main's list cannot check: schedules, patterns, ids. Ends with a zero row. */
extern const struct config_rule scheduler_rules[];
extern const struct config_whole scheduler_wholes[];

/* `check --online`: asks the servers. Returns an exit code. */
int check_online(const struct settings *s);

#endif
