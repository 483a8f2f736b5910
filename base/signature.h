/*
 * base/signature.h - messages signed as Standard Webhooks 1.0.0 signs them, over "id.timestamp.body": v1 by
 * HMAC-SHA-256, v1a by Ed25519.
 *
 * A secret is text: "whsec_" and the base64 of 24 to 64 random bytes for v1; "whsk_" and that of an Ed25519 key's 32
 * for v1a, whose public half is "whpk_" and the base64 of its 32 and can verify, but not sign. Several, separated by
 * spaces, serve while one replaces the other: all of them sign, and each is accepted.
 */
#ifndef BASE_SIGNATURE_H
#define BASE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

enum {
    SIGNATURE_KEYS_MOST = 8,
    SIGNATURE_TOLERANCE_S = 300, /* how far a timestamp may be from now */
};

enum signature_kind { SIGNATURE_HMAC, SIGNATURE_ED25519 };

struct signer;

/* NULL: ERROR_CONFIG, which never quotes the secret. */
struct signer *signer_new(const char *secrets, struct error *err) must_check;
void signer_free(struct signer *s);                                   /* NULL is fine */
bool signature_secrets_check(const char *secrets, struct error *err); /* for configuration rows: to verify by */
bool signature_signing_check(const char *secrets, struct error *err); /* to sign by */

enum signature_kind signer_kind(const struct signer *s); /* of the first, which is the newest */

/* Appends the public halves, separated by spaces; nothing where no secret has one. */
void signer_add_public(const struct signer *s, struct buf *out);

/* A new secret, appended. */
void signature_add_secret(enum signature_kind kind, struct buf *out);

/* Appends "v1,... v1a,...": a signature by each secret, none of which is a public half. */
void signature_add(const struct signer *s, const char *id, int64_t timestamp_s, const char *body, size_t length,
                   struct buf *out);

/* The three headers as they came; NULL: not given. */
struct signature_claim {
    const char *id, *timestamp, *signatures;
};

/* Compares in the same time whatever differs. ERROR_INPUT: says what is missing, late or early, or wrong. */
bool signature_verify(const struct signer *s, const struct signature_claim *claim, int64_t now_s, const char *body,
                      size_t length, struct error *err) must_check;

#endif
