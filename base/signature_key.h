/*
 * base/signature_key.h - one key of Standard Webhooks: HMAC-SHA-256 (v1), or Ed25519 (v1a), whole or its public half.
 */
#ifndef BASE_SIGNATURE_KEY_H
#define BASE_SIGNATURE_KEY_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/signature.h"

enum { SIGNATURE_KEY_LEAST = 24, SIGNATURE_KEY_MOST = 64 };

struct signature_key {
    enum signature_kind kind;
    unsigned char bytes[SIGNATURE_KEY_MOST]; /* of SIGNATURE_HMAC */
    size_t length;
    EVP_PKEY *pair; /* of SIGNATURE_ED25519 */
    bool public_only;
};

/* False: it is none; nothing is to be released. */
bool signature_key_read(struct signature_key *k, const char *text, size_t length) must_check;
void signature_key_release(struct signature_key *k);

/* Appends "v1,..." or "v1a,...". Not for a public half. */
void signature_key_sign(const struct signature_key *k, const struct buf *content, struct buf *out);

/* Whether one of the signatures, separated by spaces, is by the key; nothing is told by the time it takes. */
bool signature_key_holds(const struct signature_key *k, const struct buf *content, const char *signatures);

/* Appends the public half as "whpk_...". */
void signature_key_add_public(const struct signature_key *k, struct buf *out);

#endif
