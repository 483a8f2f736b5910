/*
 * handlers/mail/mail_values.h - what a path leads to in JSON: through lists to each of their items.
 */
#ifndef HANDLERS_MAIL_MAIL_VALUES_H
#define HANDLERS_MAIL_MAIL_VALUES_H

#include <jansson.h>
#include <stddef.h>

#include "base/arena.h"

enum { MAIL_VALUES_MOST = 1000 };

struct mail_values {
    const char **items; /* texts, and integers as text; in the arena */
    size_t count, room;
    size_t wrong;   /* neither, or too many, */
    size_t missing; /* or not there */
    struct arena *arena;
};

struct mail_values mail_values_new(struct arena *arena);

void mail_values_add(struct mail_values *v, const char *text); /* lent */

/* path: "metadata.email". */
void mail_values_gather(struct mail_values *v, const json_t *value, const char *path);

#endif
