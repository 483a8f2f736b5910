/* scheduler/verbs.h - the verbs about handlers at work: rows of main's table. */
#ifndef SCHEDULER_VERBS_H
#define SCHEDULER_VERBS_H

#include "config/verb.h"

int verb_serve(struct verb_call *call);
int verb_emit(struct verb_call *call);
int verb_run(struct verb_call *call);
int verb_status(struct verb_call *call);
int verb_queues(struct verb_call *call);
int verb_handlers(struct verb_call *call);
int verb_dead(struct verb_call *call);
int verb_replay(struct verb_call *call);
int verb_stats(struct verb_call *call);
int verb_statistics(struct verb_call *call);
int verb_report(struct verb_call *call);
int verb_reindex(struct verb_call *call);
int verb_aggregations(struct verb_call *call);
int verb_audit(struct verb_call *call);
int verb_history(struct verb_call *call);
int verb_mail(struct verb_call *call);
int verb_webhooks(struct verb_call *call);

/* What the layers right of config know of the file: rules, handlers, profiles. */
const struct config_outside *scheduler_outside(void);

/* `check --online`: asks the servers. Returns an exit code. */
int check_online(const struct settings *s);

#endif
