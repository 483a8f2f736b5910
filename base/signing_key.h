/*
 * base/signing_key.h - a key by which a file is signed and checked: Ed25519 (PEM; with the public half alone one can
 * check, but not sign), or a secret of at least 32 bytes for HMAC-SHA-256.
 */
#ifndef BASE_SIGNING_KEY_H
#define BASE_SIGNING_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

struct signing_key;

/* One thread at a time. NULL: ERROR_CONFIG, which never quotes the key. */
struct signing_key *signing_key_new(const char *text, struct error *err) must_check;
void signing_key_free(struct signing_key *k);                /* NULL is fine */
bool signing_key_check(const char *text, struct error *err); /* for configuration rows */
bool signing_key_can_sign(const struct signing_key *k);

/* Appends the signature, in hexadecimal digits. */
void signing_key_add(const struct signing_key *k, struct span message, struct buf *out);

/* Compares in the same time whatever differs. */
bool signing_key_holds(const struct signing_key *k, struct span message, struct span signature);

#endif
