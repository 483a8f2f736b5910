/*
 * handlers/webhook/webhook_named.h - a target of webhooks as people name it: a subscription by its id, or the target of
 * a handler by the handler's name.
 */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_NAMED_H
#define HANDLERS_WEBHOOK_WEBHOOK_NAMED_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/redis.h"
#include "config/settings.h"
#include "handlers/webhook/subscription.h"
#include "handlers/webhook/webhook_sender.h"
#include "handlers/webhook/webhook_store.h"

struct webhook_named {
    const char *name;
    const struct handler_settings *handler;
    struct subscription *subscription; /* NULL: it is the handler's own */
};

/* In the arena. out->name NULL: there is none of that name. */
bool webhook_named_find(const struct settings *s, struct redis *r, const char *name, struct arena *arena,
                        struct webhook_named *out, struct error *err) must_check;

/* Those of a handler. */
struct subscriptions webhook_subscriptions(const struct settings *s, struct redis *r,
                                           const struct handler_settings *handler);

/* Whether it is of type webhook; with a target of its own, or for subscriptions. */
bool webhook_handler_is(const struct handler_settings *hs);
bool webhook_handler_has_target(const struct handler_settings *hs);

/* The handler that serves subscriptions; where there are several, one is to be named. NULL: ERROR_INPUT. */
const struct handler_settings *webhook_serving(const struct settings *s, const char *name,
                                               struct error *err) must_check;

/* The handler's options, with the subscription's in their place; in the arena. */
struct webhook_options webhook_named_options(const struct webhook_named *n, struct arena *arena);

/* Of its URL no more than this is ever shown: the rest may be what keeps strangers from posting there. NULL: none. */
const char *webhook_host(const struct webhook_options *o, struct arena *arena);

/* What verifies its v1a signatures, separated by spaces; "": it has none. In the arena. */
const char *webhook_public_keys(const struct webhook_options *o, struct arena *arena);

/* "on", "off", "paused" or "failing"; "sealed": its secrets do not open. */
const char *webhook_state_word(const struct webhook_named *n, const struct webhook_target_state *state);

/* Why it is off, or does not open; "": neither. */
const char *webhook_state_reason(const struct webhook_named *n, const struct webhook_target_state *state);

/* Sends crier.webhook.test straight from here: what the target answers is what counts. Takes as long as it takes. */
bool webhook_named_test(const struct webhook_named *n, struct arena *arena, struct webhook_answer *out,
                        struct error *err) must_check;

/*
 * What waits is due at once; what was delivered or given up is sent again out of a history, under the same id, with its
 * tries from the first on. ERROR_INPUT: that cannot be, and why.
 */
bool webhook_named_resend(const struct settings *s, struct redis *r, const struct webhook_named *n, const char *id,
                          struct arena *arena, struct error *err) must_check;

#endif
