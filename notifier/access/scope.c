#include "notifier/access/scope.h"

#include <string.h>

#include "base/text.h"

static const struct {
    const char *name;
    enum scope scope;
} known[] = {
    {"emit",         SCOPE_EMIT        },
    {"events:read",  SCOPE_EVENTS_READ },
    {"stats:read",   SCOPE_STATS_READ  },
    {"audit:read",   SCOPE_AUDIT_READ  },
    {"metrics:read", SCOPE_METRICS_READ},
    {"webhooks",     SCOPE_WEBHOOKS    },
    {"mail",         SCOPE_MAIL        },
    {"admin",        SCOPE_ADMIN       },
};

static bool unknown(const char *word, size_t length, struct error *err)
{
    const char *names[ARRAY_LENGTH(known)];
    char text[40];
    const char *nearest;

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        names[i] = known[i].name;
    length = length < sizeof text ? length : sizeof text - 1;
    memcpy(text, word, length);
    text[length] = '\0';
    nearest = text_nearest(text, names, ARRAY_LENGTH(known));
    if (nearest)
        return error_set(err, ERROR_INPUT, "there is no scope \"%s\"; did you mean %s?", text, nearest);
    return error_set(err, ERROR_INPUT,
                     "there is no scope \"%s\"; there are emit, events:read, stats:read, audit:read, metrics:read, "
                     "webhooks, mail and admin",
                     text);
}

bool scopes_read(const char *words, unsigned *scopes, struct error *err)
{
    const char *word;
    size_t length;

    *scopes = 0;
    while (text_word(&words, &word, &length)) {
        unsigned found = 0;

        for (size_t i = 0; i < ARRAY_LENGTH(known) && !found; i++)
            if (strlen(known[i].name) == length && memcmp(known[i].name, word, length) == 0)
                found = known[i].scope;
        if (!found)
            return unknown(word, length, err);
        *scopes |= found;
    }
    return true;
}

void scopes_add(unsigned scopes, struct buf *out)
{
    const char *before = "";

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        if (scopes & known[i].scope) {
            buf_printf(out, "%s%s", before, known[i].name);
            before = " ";
        }
}
