/* handlers/source/source_online.h - whether sources answer, and with what their sections say: for `check --online`. */
#ifndef HANDLERS_SOURCE_SOURCE_ONLINE_H
#define HANDLERS_SOURCE_SOURCE_ONLINE_H

#include <stdbool.h>

#include "base/error.h"
#include "config/settings.h"

/*
 * Says a line of each on standard output. The first document that a source lists has to be there by its id, too: an
 * address that leads nowhere looks as if everything was gone. False: the error of the first that is not well.
 */
bool source_online(const struct settings *s, struct error *err);

#endif
