/* handlers/webhook/subscription_fields.h - the texts of a subscription, for the files subscription*.c. */
#ifndef HANDLERS_WEBHOOK_SUBSCRIPTION_FIELDS_H
#define HANDLERS_WEBHOOK_SUBSCRIPTION_FIELDS_H

#include "handlers/webhook/subscription.h"

struct subscription_text {
    const char *name; /* in Redis, too */
    size_t offset;
    bool sealed;
};

enum { SUBSCRIPTION_FIELDS = 10, SUBSCRIPTION_FIELDS_SEALED = 3 };

extern const struct subscription_text subscription_fields[SUBSCRIPTION_FIELDS];
const char **subscription_field(struct subscription *s, const struct subscription_text *f);

bool subscription_is_open(const struct subscription *s, struct error *err); /* what is sealed opened */

#endif
