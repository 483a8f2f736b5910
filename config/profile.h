/*
 * config/profile.h - ready-made configuration: `profile = NAME` in [event TYPE] stands for sections of a text that the
 * program brings along.
 *
 * They are merged into the file before it is loaded, as if they were written there: a section that the file has gets
 * the keys it lacks, any other one is added. So several profiles may fill one section, keys of the file take
 * precedence, and `config show` cannot tell who wrote what.
 */
#ifndef CONFIG_PROFILE_H
#define CONFIG_PROFILE_H

#include "config/ini_file.h"
#include "config/key.h"
#include "config/mistakes.h"

/* What is merged stands in the line of the profile's key, where its mistakes are noted too. profiles: may be NULL. */
void profiles_merge(struct ini_file *file, const struct config_profile *profiles, struct mistakes *m);

/* Those that the key takes one of by name; NULL where it is another key, or where there are none. */
const struct config_profile *profiles_of(const struct config_outside *outside, const struct config_key *key);

#endif
