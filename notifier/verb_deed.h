/*
 * notifier/verb_deed.h - the deed (notifier/deed.h) of the verb that this process runs: one at a time, by whoever sits
 * at the command line. However long it takes, a thread says that it goes on.
 */
#ifndef NOTIFIER_VERB_DEED_H
#define NOTIFIER_VERB_DEED_H

#include <jansson.h>
#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"

/* Before it is done. The one before counts as done, where it was not settled. False: it must not be done. */
bool verb_deed_begin(const struct settings *s, const char *type, const char *subject, json_t *data,
                     struct error *err) must_check;

/* How it ended, where the verb goes on; returns done. why: the reason where it is not. None under way: nothing is told.
 */
bool verb_deed_settle(bool done, const struct error *why);

/* The verb is over. failed: why it failed; NULL: it did not. False: the end could not be told. */
bool verb_deed_over(const char *failed, int exit_code, struct error *err) must_check;

#endif
