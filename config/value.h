/* config/value.h - one value of the ini file in words: what is allowed, and what the environment puts into it. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/key.h"

/* What may stand there: "a time from 100ms to 1m", "yes or no"; with_units adds " (ms, s, m, h or d)". */
void config_value_add_allowed(const struct config_key *key, bool with_units, struct buf *out);

/* Appends text with every ${NAME} replaced from the environment; "$${" stands for "${" itself. */
bool config_value_expand(const char *text, struct buf *out, struct error *err) must_check;

/* "text", "secret", "time" ... */
const char *config_type_name(enum config_type type);

/* Whether the section must give a value. */
bool config_key_required(const struct config_key *key);

#endif
