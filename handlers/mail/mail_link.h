/*
 * handlers/mail/mail_link.h - the link by which who got a mail wants no more of its kind: signed, and without the
 * address.
 *
 * DIGEST/HANDLER/SIGNATURE; the key is made once for a Redis and kept there, under crier:{mail}:link_key. An emptied
 * Redis makes the links of old mails void, as it forgets the preferences too.
 */
#ifndef HANDLERS_MAIL_MAIL_LINK_H
#define HANDLERS_MAIL_MAIL_LINK_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/redis.h"

struct mail_link_key {
    char text[DIGEST_TEXT_BYTES];
};

bool mail_link_key_get(struct redis *r, struct arena *arena, struct mail_link_key *out, struct error *err) must_check;

/* base: "https://crier.example.org"; what the page is at, with the link's three parts. In the arena. */
const char *mail_link(const struct mail_link_key *key, const char *base, const char *handler, const char *address,
                      struct arena *arena);

/* Whether the three parts are a link of ours: *digest as mail_preference_digest has it, *handler; in the arena. */
bool mail_link_read(const struct mail_link_key *key, const char *rest, struct arena *arena, const char **digest,
                    const char **handler) must_check;

/*
 * What the audit calls an address, "addresses/ALIAS", by its digest: keyed likewise, as whoever reads the audit could
 * else try addresses until one fits. In the arena.
 */
bool mail_address_alias(struct redis *r, const char *digest, struct arena *arena, const char **out,
                        struct error *err) must_check;

bool mail_link_base_check(const char *base, struct error *err); /* for configuration rows */

#endif
