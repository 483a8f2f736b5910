/*
 * handlers/webhook/subscription.h - targets of webhooks that users make, kept in Redis.
 *
 * They belong to a handler of type webhook that names no url of its own, and whose section says what they may: ports,
 * networks, time limits. Keys: crier:{webhooks}:subscription:ID, :subscriptions:HANDLER (their ids) and
 * :subscriptions-version:HANDLER, a number that changes with them. URL, headers and secret, of which each may be what
 * keeps strangers out, lie there sealed for the subscription and the field ([redis] sealing_key); without a key as they
 * are, and those from before there was one are read as they are. Nothing that lists subscriptions shows them.
 */
#ifndef HANDLERS_WEBHOOK_SUBSCRIPTION_H
#define HANDLERS_WEBHOOK_SUBSCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "base/seal.h"
#include "handlers/webhook/webhook_target.h"

#define SUBSCRIPTION_ID_START "wh_"

enum {
    SUBSCRIPTION_ID_BYTES = 20, /* "wh_" and 16 hexadecimal digits */
    SUBSCRIPTIONS_MOST = 1000,  /* of a handler */
    SUBSCRIPTION_WORDS_MOST = 1000,
};

/* Texts are lent, "" where not given, never NULL. */
struct subscription {
    const char *id, *url, *secret;
    const char *events; /* patterns of types; "": all */
    const char *within; /* likewise those that its maker may see */
    const char *condition, *payload, *headers;
    const char *owner;      /* for people */
    const char *owner_mail; /* address that is told of trouble; "": that of the section */
    const char *owner_id;   /* of the maker's token; "": an operator's */
    const char *closed;     /* why what is sealed does not open: url, secret and headers are "" then; "": it does */
    bool seal_old;          /* not all is sealed by the newest key */
    int64_t created_us;
    const char *secret_kept; /* as Redis has it, sealed or not */
};

/* Those of one handler; all lent. */
struct subscriptions {
    struct redis *redis;
    const struct seal *seal; /* NULL: no key is known */
    const char *handler;
};

/* Whether it is one, by what the section allows. ERROR_INPUT: says what is wrong with which of its fields. */
bool subscription_check(const struct subscription *s, const struct webhook_options *limits,
                        struct error *err) must_check;

/* The same for one that is made now: whom it tells of trouble is bounded, too. What was made before goes on. */
bool subscription_admit(const struct subscription *s, const struct webhook_options *limits,
                        struct error *err) must_check;

/*
 * The options of the section that serves it, with its own in their place, but for an owner_mail that the section does
 * not allow (any more); in the arena.
 */
struct webhook_options subscription_options(const struct subscription *s, const struct webhook_options *section,
                                            struct arena *arena);

/* Gives it an id, and a secret of the kind where it has none; in the arena. */
void subscription_make(struct subscription *s, enum signature_kind kind, struct arena *arena);

/* "v1" or "v1a"; "": v1 (for a new one). False: ERROR_INPUT. */
bool subscription_kind(const char *word, enum signature_kind *out, struct error *err) must_check;

/* What its maker is shown of the newest secret: the secret itself, or as *public what verifies. In the arena. */
const char *subscription_shown(const struct subscription *s, bool *public, struct arena *arena);

/* Keeps it. */
bool subscription_add(const struct subscriptions *all, struct subscription *s, struct arena *arena,
                      struct error *err) must_check;

/* All of a handler, in the arena. */
bool subscription_list(const struct subscriptions *all, struct arena *arena, struct subscription **out, size_t *count,
                       struct error *err) must_check;

/* *out NULL: the handler has none of that id. */
bool subscription_find(const struct subscriptions *all, const char *id, struct arena *arena, struct subscription **out,
                       struct error *err) must_check;

/*
 * A new secret before the newest one, which signs as well until it is rotated again; kind "": of the same kind as that.
 * over: the newest alone signs. ERROR_INPUT: its secrets are not those that were read any more.
 */
bool subscription_rotate(const struct subscriptions *all, struct subscription *s, bool over, const char *kind,
                         struct arena *arena, struct error *err) must_check;

/* Seals it anew, by the newest key. *was: false where it was removed or changed meanwhile. */
bool subscription_seal(const struct subscriptions *all, const char *id, struct arena *arena, bool *was,
                       struct error *err) must_check;

/* With all that waits for it. *was: there was one. */
bool subscription_remove(const struct subscriptions *all, const char *id, bool *was, struct error *err) must_check;

/* Changes with every change of a subscription of the handler. */
bool subscription_version(const struct subscriptions *all, struct arena *arena, int64_t *version,
                          struct error *err) must_check;

#endif
