/*
 * handlers/webhook/name_pace.h - how soon names were answered when they were last asked for, for some minutes.
 *
 * A table of fixed size, which may forget. One thread at a time.
 */
#ifndef HANDLERS_WEBHOOK_NAME_PACE_H
#define HANDLERS_WEBHOOK_NAME_PACE_H

enum name_pace { PACE_NEW, PACE_PROMPT, PACE_LATE, PACE_COUNT }; /* new: not known */

enum name_pace name_pace_of(const char *host);
void name_pace_note(const char *host, enum name_pace pace);

#endif
