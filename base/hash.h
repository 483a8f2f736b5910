/*
 * base/hash.h - digests by OpenSSL, and a fast hash for tables.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum {
    SHA256_BYTES = 32,
    DIGEST_TEXT_BYTES = 2 * SHA256_BYTES + 1,
    ID_BYTES = 16,                    /* of a digest kept as an id: 128 bits */
    ID_TEXT_BYTES = 2 * ID_BYTES + 1, /* as hexadecimal text with its NUL */
};

/* A running SHA-256 (FIPS 180-4). Each part is preceded by its length, so that ("a","bc") and ("ab","c") differ. */
struct digest;

struct digest *digest_new(void);
void digest_free(struct digest *d);
void digest_start(struct digest *d);
void digest_part(struct digest *d, const char *bytes, size_t length);
void digest_end(struct digest *d, unsigned char out[SHA256_BYTES]);
void digest_end_id(struct digest *d, char out[ID_TEXT_BYTES]);

/*
 * HMAC-SHA-256 (RFC 2104) of many messages under one key, each cut to 128 bits, as text. One thread at a time.
 */
struct keyed_hash;

struct keyed_hash *keyed_hash_new(const unsigned char *key, size_t key_length);
void keyed_hash_free(struct keyed_hash *k);
void keyed_hash_id(struct keyed_hash *k, const char *bytes, size_t length, char out[ID_TEXT_BYTES]);

/*
 * A running hash of nothing but the bytes given, by OpenSSL's name for it ("SHA1", "SHA224"): for ids that other
 * programs make, too. The text is hexadecimal. One thread at a time.
 */
struct raw_hash;

enum { RAW_HASH_TEXT_BYTES = DIGEST_TEXT_BYTES }; /* of at most 256 bits */

struct raw_hash *raw_hash_new(const char *name);
void raw_hash_free(struct raw_hash *h);
void raw_hash_start(struct raw_hash *h);
void raw_hash_add(struct raw_hash *h, const char *bytes, size_t length);
void raw_hash_end(struct raw_hash *h, char out[RAW_HASH_TEXT_BYTES]);
void raw_hash_so_far(const struct raw_hash *h, char out[RAW_HASH_TEXT_BYTES]); /* and goes on */

/* out holds 2 * length + 1 bytes. */
void hash_hex(const unsigned char *bytes, size_t length, char *out);

/* FNV-1a, 64 bit (Fowler, Noll, Vo): for tables of trusted size only. */
uint64_t hash_table(const char *bytes, size_t length);

/* Unpredictable bytes from the system; ends the process where there are none. */
void random_secret(unsigned char *out, size_t length);

#endif
