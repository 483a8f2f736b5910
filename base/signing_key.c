#include "base/signing_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/log.h"

enum { SECRET_LEAST = 32, ED25519_BYTES = 64 };

struct signing_key {
    EVP_PKEY *pair; /* NULL: HMAC */
    bool public_only;
    char *secret;
    size_t secret_length;
};

/* The private key, or the public one. */
static EVP_PKEY *read_pem(const char *text, bool *public_only)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *pair = NULL;

    if (!bio)
        return NULL;
    *public_only = strstr(text, "-----BEGIN PUBLIC KEY-----");
    pair = *public_only ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : PEM_read_bio_PrivateKey(bio, NULL, NULL, "");
    BIO_free(bio);
    return pair;
}

struct signing_key *signing_key_new(const char *text, struct error *err)
{
    struct signing_key *k = xcalloc(1, sizeof *k);

    if (text_starts(text, "-----BEGIN ")) {
        k->pair = read_pem(text, &k->public_only);
        if (k->pair && EVP_PKEY_get_base_id(k->pair) == EVP_PKEY_ED25519)
            return k;
        error_set(err, ERROR_CONFIG,
                  "the key is PEM, but not Ed25519 without a passphrase: openssl genpkey -algorithm "
                  "ed25519 makes one");
    } else {
        k->secret = xstrdup(text);
        k->secret_length = strlen(text);
        if (k->secret_length >= SECRET_LEAST)
            return k;
        error_set(err, ERROR_CONFIG, "the key has %zu bytes; %d are the least: openssl rand -hex 32 makes one",
                  k->secret_length, SECRET_LEAST);
    }
    signing_key_free(k);
    return NULL;
}

void signing_key_free(struct signing_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pair);
    if (k->secret)
        OPENSSL_cleanse(k->secret, k->secret_length);
    free(k->secret);
    free(k);
}

bool signing_key_check(const char *text, struct error *err)
{
    struct signing_key *k = signing_key_new(text, err);

    signing_key_free(k);
    return k;
}

bool signing_key_can_sign(const struct signing_key *k)
{
    return !k->public_only;
}

static void give_up(void)
{
    log_error("OpenSSL does not sign");
    abort();
}

static void sign_pair(const struct signing_key *k, struct span message, unsigned char out[ED25519_BYTES])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t length = ED25519_BYTES;

    if (!context || EVP_DigestSignInit(context, NULL, NULL, NULL, k->pair) != 1 ||
        EVP_DigestSign(context, out, &length, (const unsigned char *)message.text, message.length) != 1)
        give_up();
    EVP_MD_CTX_free(context);
}

static void sign_secret(const struct signing_key *k, struct span message, unsigned char out[SHA256_BYTES])
{
    unsigned length = 0;

    if (!HMAC(EVP_sha256(), k->secret, (int)k->secret_length, (const unsigned char *)message.text, message.length, out,
              &length))
        give_up();
}

void signing_key_add(const struct signing_key *k, struct span message, struct buf *out)
{
    unsigned char bytes[ED25519_BYTES];
    size_t length = k->pair ? ED25519_BYTES : SHA256_BYTES;

    if (k->pair)
        sign_pair(k, message, bytes);
    else
        sign_secret(k, message, bytes);
    hash_hex(bytes, length, buf_grow(out, 2 * length + 1));
    buf_grown(out, 2 * length);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct span text, unsigned char *out, size_t length)
{
    if (text.length != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++) {
        int high = digit(text.text[2 * i]), low = digit(text.text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(16 * high + low);
    }
    return true;
}

static bool pair_holds(const struct signing_key *k, struct span message, const unsigned char *signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds =
        context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, k->pair) == 1 &&
        EVP_DigestVerify(context, signature, ED25519_BYTES, (const unsigned char *)message.text, message.length) == 1;

    EVP_MD_CTX_free(context);
    return holds;
}

bool signing_key_holds(const struct signing_key *k, struct span message, struct span signature)
{
    unsigned char given[ED25519_BYTES], right[SHA256_BYTES];

    if (k->pair)
        return read_hex(signature, given, ED25519_BYTES) && pair_holds(k, message, given);
    if (!read_hex(signature, given, SHA256_BYTES))
        return false;
    sign_secret(k, message, right);
    return CRYPTO_memcmp(given, right, SHA256_BYTES) == 0;
}
