#include "base/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"

#define START "sealed:"

enum {
    KEYS_MOST = 8,
    KEY_BYTES = 32,
    KEY_TEXT_BYTES = 44, /* as base64 */
    MARK_BYTES = 4,      /* of a digest of the key: which one it is */
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    HEAD_BYTES = MARK_BYTES + NONCE_BYTES,
    SEALED_MOST = 1024 * 1024, /* bytes of text */
};

/* What is sealed: mark, nonce, the text encrypted, tag. */
struct key {
    unsigned char bytes[KEY_BYTES], mark[MARK_BYTES];
};

struct seal {
    struct key keys[KEYS_MOST];
    size_t count;
};

/* -------------------------------------------------------------------------------------------------------- keys */

static void mark(struct key *k)
{
    static const char purpose[] = "which key of crier seals";
    unsigned char digest[SHA256_BYTES];
    struct digest *d = digest_new();

    digest_start(d);
    digest_part(d, purpose, strlen(purpose));
    digest_part(d, (const char *)k->bytes, KEY_BYTES);
    digest_end(d, digest);
    digest_free(d);
    memcpy(k->mark, digest, MARK_BYTES);
}

static bool add_key(struct seal *s, const char *word, size_t length, struct error *err)
{
    unsigned char bytes[KEY_TEXT_BYTES];
    struct key *k = &s->keys[s->count];
    bool ok;

    if (s->count == KEYS_MOST)
        return error_set(err, ERROR_CONFIG, "there may be %d keys at a time", KEYS_MOST);
    ok = length == KEY_TEXT_BYTES && base64_read(word, length, bytes) == KEY_BYTES;
    if (ok) {
        memcpy(k->bytes, bytes, KEY_BYTES);
        mark(k);
        s->count++;
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
    return ok ||
           error_set(err, ERROR_CONFIG, "key %zu is not the base64 of %d bytes: openssl rand -base64 %d makes one",
                     s->count + 1, KEY_BYTES, KEY_BYTES);
}

struct seal *seal_new(const char *keys, struct error *err)
{
    struct seal *s = xcalloc(1, sizeof *s);
    const char *word;
    size_t length;
    bool ok = true;

    while (ok && text_word(&keys, &word, &length))
        ok = add_key(s, word, length, err);
    if (ok && s->count == 0)
        ok = error_set(err, ERROR_CONFIG, "there is no key");
    if (ok)
        return s;
    seal_free(s);
    return NULL;
}

void seal_free(struct seal *s)
{
    if (!s)
        return;
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

bool seal_keys_check(const char *keys, struct error *err)
{
    struct seal *s = seal_new(keys, err);

    seal_free(s);
    return s != NULL;
}

/* ----------------------------------------------------------------------------------------------------- sealing */

static void give_up(void)
{
    log_error("OpenSSL does not encrypt");
    abort();
}

/* The place is authenticated with the text, and not kept. */
static void encrypt(const struct key *k, const char *text, size_t length, const char *place, unsigned char *sealed)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    unsigned char *nonce = sealed + MARK_BYTES, *out = sealed + HEAD_BYTES;
    int count;

    memcpy(sealed, k->mark, MARK_BYTES);
    random_secret(nonce, NONCE_BYTES);
    if (!c || EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, k->bytes, nonce) != 1 ||
        EVP_EncryptUpdate(c, NULL, &count, (const unsigned char *)place, (int)strlen(place)) != 1 ||
        EVP_EncryptUpdate(c, out, &count, (const unsigned char *)text, (int)length) != 1 || (size_t)count != length ||
        EVP_EncryptFinal_ex(c, out + length, &count) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, out + length) != 1)
        give_up();
    EVP_CIPHER_CTX_free(c);
}

void seal_add(const struct seal *s, const char *text, const char *place, struct buf *out)
{
    size_t length = strlen(text), size = HEAD_BYTES + length + TAG_BYTES;
    unsigned char *sealed = xcalloc(1, size);

    if (length > SEALED_MOST / 2)
        give_up(); /* its caller has a limit */
    encrypt(&s->keys[0], text, length, place, sealed);
    buf_add_text(out, START);
    base64_add(sealed, size, out);
    free(sealed);
}

/* ----------------------------------------------------------------------------------------------------- opening */

bool seal_is(const char *text)
{
    return text_starts(text, START);
}

/* Yours to free; NULL: it is damaged. */
static unsigned char *read_sealed(const char *text, size_t *size)
{
    size_t length;
    unsigned char *bytes;

    if (!seal_is(text))
        return NULL;
    text += strlen(START);
    length = strlen(text);
    bytes = xcalloc(1, length / 4 * 3 + 1);
    *size = length <= SEALED_MOST ? base64_read(text, length, bytes) : 0;
    if (*size >= HEAD_BYTES + TAG_BYTES)
        return bytes;
    free(bytes);
    return NULL;
}

static const struct key *key_of(const struct seal *s, const unsigned char *sealed)
{
    for (size_t i = 0; s && i < s->count; i++)
        if (memcmp(s->keys[i].mark, sealed, MARK_BYTES) == 0)
            return &s->keys[i];
    return NULL;
}

bool seal_is_newest(const struct seal *s, const char *text)
{
    size_t size;
    unsigned char *sealed = read_sealed(text, &size);
    bool newest = sealed && key_of(s, sealed) == &s->keys[0];

    free(sealed);
    return newest;
}

/* Nothing is appended unless all of it is as it was sealed. */
static bool decrypt(const struct key *k, unsigned char *sealed, size_t size, const char *place, struct buf *out)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    size_t length = size - HEAD_BYTES - TAG_BYTES;
    unsigned char *text = xcalloc(1, length + 1);
    int count;
    bool ok = c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, k->bytes, sealed + MARK_BYTES) == 1 &&
              EVP_DecryptUpdate(c, NULL, &count, (const unsigned char *)place, (int)strlen(place)) == 1 &&
              EVP_DecryptUpdate(c, text, &count, sealed + HEAD_BYTES, (int)length) == 1 && (size_t)count == length &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, sealed + size - TAG_BYTES) == 1 &&
              EVP_DecryptFinal_ex(c, text + length, &count) == 1;

    if (ok)
        buf_add(out, (const char *)text, length);
    OPENSSL_cleanse(text, length + 1);
    free(text);
    EVP_CIPHER_CTX_free(c);
    return ok;
}

bool seal_open(const struct seal *s, const char *sealed, const char *place, struct buf *out, struct error *err)
{
    size_t size;
    unsigned char *bytes = read_sealed(sealed, &size);
    const struct key *k = bytes ? key_of(s, bytes) : NULL;
    bool ok;

    if (!bytes)
        ok = error_set(err, ERROR_CONFIG, "what is sealed is damaged");
    else if (!k)
        ok = error_set(err, ERROR_CONFIG, "%s",
                       s ? "it is sealed by a key that is not among those given" : "it is sealed, and no key is given");
    else
        ok = decrypt(k, bytes, size, place, out) ||
             error_set(err, ERROR_CONFIG, "what is sealed is damaged, or was brought here from another place");
    free(bytes);
    return ok;
}
