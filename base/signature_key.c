#include "base/signature_key.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"

#define HMAC_START      "whsec_"
#define PRIVATE_START   "whsk_"
#define PUBLIC_START    "whpk_"
#define HMAC_VERSION    "v1,"
#define ED25519_VERSION "v1a,"

enum {
    NEW_BYTES = 32, /* of a secret, and of an Ed25519 key, either half */
    SIGNED_BYTES = 64,
    SIGNATURES_MOST = SIGNATURE_KEYS_MOST,
    BASE64_MOST = (SIGNATURE_KEY_MOST + 2) / 3 * 4,
};

static void give_up(void)
{
    log_error("OpenSSL does not sign");
    abort();
}

/* ------------------------------------------------------------------------------------------------------ base64 */

/* Bytes; 0: it is no base64, or more than the most that a key or a signature has. */
static size_t decode(const char *text, size_t length, unsigned char out[SIGNATURE_KEY_MOST])
{
    unsigned char bytes[BASE64_MOST];
    size_t size = length <= BASE64_MOST ? base64_read(text, length, bytes) : 0;

    if (size > SIGNATURE_KEY_MOST)
        size = 0;
    memcpy(out, bytes, size);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return size;
}

/* -------------------------------------------------------------------------------------------------------- keys */

/* The seed alone, or with the public half behind it, as some libraries write it. */
static bool read_private(struct signature_key *k, const unsigned char *bytes, size_t size)
{
    unsigned char public[NEW_BYTES];
    size_t public_size = sizeof public;

    if (size != NEW_BYTES && size != 2 * NEW_BYTES)
        return false;
    k->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, NEW_BYTES);
    if (k->pair && (size == NEW_BYTES || (EVP_PKEY_get_raw_public_key(k->pair, public, &public_size) == 1 &&
                                          memcmp(public, bytes + NEW_BYTES, NEW_BYTES) == 0)))
        return true;
    signature_key_release(k);
    return false;
}

static bool read_public(struct signature_key *k, const unsigned char *bytes, size_t size)
{
    k->public_only = true;
    if (size == NEW_BYTES)
        k->pair = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, NEW_BYTES);
    return k->pair;
}

static bool read_secret(struct signature_key *k, const unsigned char *bytes, size_t size)
{
    k->kind = SIGNATURE_HMAC;
    k->length = size;
    memcpy(k->bytes, bytes, size);
    return size >= SIGNATURE_KEY_LEAST;
}

/* A secret may stand without its start, as the standard's libraries take it. */
bool signature_key_read(struct signature_key *k, const char *text, size_t length)
{
    static const struct {
        const char *start;
        bool (*read)(struct signature_key *k, const unsigned char *bytes, size_t size);
    } kinds[] = {
        {PRIVATE_START, read_private},
        {PUBLIC_START,  read_public },
        {HMAC_START,    read_secret },
        {"",            read_secret },
    };
    unsigned char bytes[SIGNATURE_KEY_MOST];
    size_t i = 0, skip, size;
    bool ok;

    while (strlen(kinds[i].start) > length || memcmp(text, kinds[i].start, strlen(kinds[i].start)) != 0)
        i++;
    skip = strlen(kinds[i].start);
    *k = (struct signature_key){.kind = SIGNATURE_ED25519};
    size = decode(text + skip, length - skip, bytes);
    ok = kinds[i].read(k, bytes, size);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return ok;
}

void signature_key_release(struct signature_key *k)
{
    EVP_PKEY_free(k->pair);
    OPENSSL_cleanse(k, sizeof *k);
}

void signature_key_add_public(const struct signature_key *k, struct buf *out)
{
    unsigned char bytes[NEW_BYTES];
    size_t size = sizeof bytes;

    if (EVP_PKEY_get_raw_public_key(k->pair, bytes, &size) != 1)
        give_up();
    buf_add_text(out, PUBLIC_START);
    base64_add(bytes, size, out);
}

void signature_add_secret(enum signature_kind kind, struct buf *out)
{
    unsigned char bytes[NEW_BYTES];

    random_secret(bytes, sizeof bytes);
    buf_add_text(out, kind == SIGNATURE_HMAC ? HMAC_START : PRIVATE_START);
    base64_add(bytes, sizeof bytes, out);
    OPENSSL_cleanse(bytes, sizeof bytes);
}

/* -------------------------------------------------------------------------------------------------- signatures */

static void add_code(const struct signature_key *k, const struct buf *content, struct buf *out)
{
    unsigned char code[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    if (!HMAC(EVP_sha256(), k->bytes, (int)k->length, (const unsigned char *)content->data, content->length, code,
              &size))
        give_up();
    buf_add_text(out, HMAC_VERSION);
    base64_add(code, size, out);
}

static void add_signed(const struct signature_key *k, const struct buf *content, struct buf *out)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char bytes[SIGNED_BYTES];
    size_t size = sizeof bytes;

    if (!context || EVP_DigestSignInit(context, NULL, NULL, NULL, k->pair) != 1 ||
        EVP_DigestSign(context, bytes, &size, (const unsigned char *)content->data, content->length) != 1)
        give_up();
    EVP_MD_CTX_free(context);
    buf_add_text(out, ED25519_VERSION);
    base64_add(bytes, size, out);
}

void signature_key_sign(const struct signature_key *k, const struct buf *content, struct buf *out)
{
    if (k->kind == SIGNATURE_HMAC)
        add_code(k, content, out);
    else
        add_signed(k, content, out);
}

static bool code_holds(const struct signature_key *k, const struct buf *content, const char *signatures)
{
    struct buf right = BUF_INIT;
    const char *word;
    size_t length;
    bool found = false;

    add_code(k, content, &right);
    while (text_word(&signatures, &word, &length))
        found |= length == right.length && CRYPTO_memcmp(word, right.data, length) == 0;
    buf_release(&right);
    return found;
}

static bool is_signed(const struct signature_key *k, const struct buf *content, const unsigned char *signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds =
        context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, k->pair) == 1 &&
        EVP_DigestVerify(context, signature, SIGNED_BYTES, (const unsigned char *)content->data, content->length) == 1;

    EVP_MD_CTX_free(context);
    return holds;
}

/* Each reads the whole content: the work for a sender that lies has an end. */
static bool signed_holds(const struct signature_key *k, const struct buf *content, const char *signatures)
{
    size_t skip = strlen(ED25519_VERSION), length;
    const char *word;
    bool found = false;

    for (int looked = 0; !found && looked < SIGNATURES_MOST && text_word(&signatures, &word, &length);) {
        unsigned char bytes[SIGNATURE_KEY_MOST];

        if (length <= skip || memcmp(word, ED25519_VERSION, skip) != 0 ||
            decode(word + skip, length - skip, bytes) != SIGNED_BYTES)
            continue;
        looked++;
        found = is_signed(k, content, bytes);
    }
    return found;
}

bool signature_key_holds(const struct signature_key *k, const struct buf *content, const char *signatures)
{
    return k->kind == SIGNATURE_HMAC ? code_holds(k, content, signatures) : signed_holds(k, content, signatures);
}
