#include "base/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"

struct digest {
    EVP_MD *algorithm; /* fetched once: the implicit fetch of every call costs more than the digest */
    EVP_MD_CTX *context;
};

struct digest *digest_new(void)
{
    struct digest *d = xcalloc(1, sizeof *d);

    d->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    d->context = EVP_MD_CTX_new();
    if (!d->algorithm || !d->context) {
        log_error("OpenSSL offers no SHA-256");
        abort();
    }
    return d;
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->context);
    EVP_MD_free(d->algorithm);
    free(d);
}

void digest_start(struct digest *d)
{
    EVP_DigestInit_ex2(d->context, d->algorithm, NULL);
}

void digest_part(struct digest *d, const char *bytes, size_t length)
{
    unsigned char size[8];

    for (int i = 0; i < 8; i++)
        size[i] = (unsigned char)((uint64_t)length >> (56 - 8 * i));
    EVP_DigestUpdate(d->context, size, sizeof size);
    EVP_DigestUpdate(d->context, bytes, length);
}

void digest_end(struct digest *d, unsigned char out[SHA256_BYTES])
{
    unsigned length = 0;

    EVP_DigestFinal_ex(d->context, out, &length);
}

void digest_end_id(struct digest *d, char out[ID_TEXT_BYTES])
{
    unsigned char all[SHA256_BYTES];

    digest_end(d, all);
    hash_hex(all, ID_BYTES, out);
}

struct keyed_hash {
    EVP_MAC *algorithm;
    EVP_MAC_CTX *context;
};

struct keyed_hash *keyed_hash_new(const unsigned char *key, size_t key_length)
{
    char name[] = "SHA256";
    OSSL_PARAM how[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end()};
    struct keyed_hash *k = xcalloc(1, sizeof *k);

    k->algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    k->context = EVP_MAC_CTX_new(k->algorithm);
    if (!k->context || EVP_MAC_init(k->context, key, key_length, how) != 1) {
        log_error("OpenSSL offers no HMAC-SHA-256");
        abort();
    }
    return k;
}

void keyed_hash_free(struct keyed_hash *k)
{
    if (!k)
        return;
    EVP_MAC_CTX_free(k->context);
    EVP_MAC_free(k->algorithm);
    free(k);
}

void keyed_hash_id(struct keyed_hash *k, const char *bytes, size_t length, char out[ID_TEXT_BYTES])
{
    unsigned char all[SHA256_BYTES];
    size_t size = 0;

    EVP_MAC_init(k->context, NULL, 0, NULL); /* from the start again, under the same key */
    EVP_MAC_update(k->context, (const unsigned char *)bytes, length);
    EVP_MAC_final(k->context, all, &size, sizeof all);
    hash_hex(all, ID_BYTES, out);
}

struct raw_hash {
    EVP_MD *algorithm;
    EVP_MD_CTX *context;
};

struct raw_hash *raw_hash_new(const char *name)
{
    struct raw_hash *h = xcalloc(1, sizeof *h);

    h->algorithm = EVP_MD_fetch(NULL, name, NULL);
    h->context = EVP_MD_CTX_new();
    if (!h->algorithm || !h->context || EVP_MD_get_size(h->algorithm) > SHA256_BYTES) {
        log_error("OpenSSL offers no %s", name);
        abort();
    }
    return h;
}

void raw_hash_free(struct raw_hash *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->context);
    EVP_MD_free(h->algorithm);
    free(h);
}

void raw_hash_start(struct raw_hash *h)
{
    EVP_DigestInit_ex2(h->context, h->algorithm, NULL);
}

void raw_hash_add(struct raw_hash *h, const char *bytes, size_t length)
{
    EVP_DigestUpdate(h->context, bytes, length);
}

void raw_hash_end(struct raw_hash *h, char out[RAW_HASH_TEXT_BYTES])
{
    unsigned char all[SHA256_BYTES];
    unsigned length = 0;

    EVP_DigestFinal_ex(h->context, all, &length);
    hash_hex(all, length, out);
}

void raw_hash_so_far(const struct raw_hash *h, char out[RAW_HASH_TEXT_BYTES])
{
    struct raw_hash copy = {NULL, EVP_MD_CTX_new()};

    if (!copy.context || EVP_MD_CTX_copy_ex(copy.context, h->context) != 1) {
        log_error("OpenSSL cannot copy a digest");
        abort();
    }
    raw_hash_end(&copy, out);
    EVP_MD_CTX_free(copy.context);
}

void hash_hex(const unsigned char *bytes, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * length] = '\0';
}

uint64_t hash_table(const char *bytes, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void random_secret(unsigned char *out, size_t length)
{
    if (RAND_bytes(out, (int)length) != 1) {
        log_error("the system gives no random bytes");
        abort();
    }
}
