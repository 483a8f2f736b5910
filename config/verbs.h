/* config/verbs.h - the verbs about the configuration itself; neither needs settings that are loaded already. */
#ifndef CONFIG_VERBS_H
#define CONFIG_VERBS_H

#include "config/verb.h"

/*
 * crier check [--online]: every mistake of the file, a line each, exit 78. With --online a file without mistakes goes
 * on to what verb_check_online was given: it asks the servers, speaks to the operator itself, returns an exit code.
 *
 * What verb_check_look was given appends what is wrong with the files of a section that only the service reads: the TLS
 * certificate of [http]. Other verbs do their work while it is being renewed.
 */
int verb_check(struct verb_call *call);
void verb_check_notes(void (*find)(const struct settings *s, struct buf *out)); /* lines worth a word, no mistakes */
void verb_check_online(int (*ask)(const struct settings *s));
void verb_check_look(void (*look)(const struct settings *s, struct buf *wrong));

/* crier config reference | sample | show */
int verb_config(struct verb_call *call);

#endif
