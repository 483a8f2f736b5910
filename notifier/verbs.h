/* notifier/verbs.h - the verbs about events on their way in: rows of main's table. */
#ifndef NOTIFIER_VERBS_H
#define NOTIFIER_VERBS_H

#include "config/verb.h"

int verb_import(struct verb_call *call);
int verb_tokens(struct verb_call *call);
int verb_outbox(struct verb_call *call);
int verb_operations(struct verb_call *call);
int verb_watch(struct verb_call *call);

#endif
