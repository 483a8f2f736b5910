/*
 * handlers/mail/mail_preferences.h - which addresses want no mail, or those of a day or a week in one.
 *
 * Key: crier:{mail}:preferences, by a digest of the address in small letters, so that it is no list of people: a field
 * for all handlers of one Redis, and one for each handler that has a word of its own. It does not expire. "off" for all
 * holds whatever a handler's own word is; else the handler's own word comes first.
 */
#ifndef HANDLERS_MAIL_MAIL_PREFERENCES_H
#define HANDLERS_MAIL_MAIL_PREFERENCES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/redis.h"

#define MAIL_PREFERENCES_KEY "crier:{mail}:preferences"

enum mail_frequency { MAIL_AT_ONCE, MAIL_OFF, MAIL_DAILY, MAIL_WEEKLY };

/* "at-once", or "on", "off", "daily", "weekly". False: none of them. */
bool mail_frequency_read(const char *word, enum mail_frequency *out) must_check;
const char *mail_frequency_word(enum mail_frequency f);

/* What counts for each of the addresses, in one round trip. */
bool mail_preferences_get(struct redis *r, const char *handler, const char *const *addresses, size_t count,
                          struct arena *arena, enum mail_frequency *out, struct error *err) must_check;
bool mail_preference_get(struct redis *r, const char *handler, const char *address, struct arena *arena,
                         enum mail_frequency *out, struct error *err) must_check;

/* The same from the values of the two fields, for all and of one handler. */
enum mail_frequency mail_preference_of(const struct reply *values);

/* handler NULL: for all. */
bool mail_preference_set(struct redis *r, const char *handler, const char *address, enum mail_frequency f,
                         struct arena *arena, struct error *err) must_check;

/* The same by what stands for the address, as a link has it. */
bool mail_preference_set_digest(struct redis *r, const char *handler, const char *digest, enum mail_frequency f,
                                struct arena *arena, struct error *err) must_check;

/* What stands for the address. */
void mail_preference_digest(const char *address, char out[ID_TEXT_BYTES]);

#endif
