/* handlers/profiles.h - what `profile = NAME` in [event] stands for, in the words of the ini file. */
#ifndef HANDLERS_PROFILES_H
#define HANDLERS_PROFILES_H

#include "config/key.h"

/* Ended by a zero row. */
extern const struct config_profile handler_profiles[];

#endif
