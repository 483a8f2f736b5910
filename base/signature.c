#include "base/signature.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/signature_key.h"
#include "base/text.h"

enum { ID_MOST = 256 };

struct signer {
    struct signature_key keys[SIGNATURE_KEYS_MOST];
    size_t count;
};

/* ----------------------------------------------------------------------------------------------------- secrets */

static bool add_key(struct signer *s, const char *word, size_t length, struct error *err)
{
    if (s->count == SIGNATURE_KEYS_MOST)
        return error_set(err, ERROR_CONFIG, "there may be %d secrets at a time", SIGNATURE_KEYS_MOST);
    if (!signature_key_read(&s->keys[s->count], word, length))
        return error_set(
            err, ERROR_CONFIG,
            "secret %zu is neither whsec_ and the base64 of %d to %d bytes, nor whsk_ or whpk_ and that of 32",
            s->count + 1, SIGNATURE_KEY_LEAST, SIGNATURE_KEY_MOST);
    s->count++;
    return true;
}

struct signer *signer_new(const char *secrets, struct error *err)
{
    struct signer *s = xcalloc(1, sizeof *s);
    const char *word;
    size_t length;
    bool ok = true;

    while (ok && text_word(&secrets, &word, &length))
        ok = add_key(s, word, length, err);
    if (ok && s->count == 0)
        ok = error_set(err, ERROR_CONFIG, "there is no secret");
    if (ok)
        return s;
    signer_free(s);
    return NULL;
}

void signer_free(struct signer *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        signature_key_release(&s->keys[i]);
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

bool signature_secrets_check(const char *secrets, struct error *err)
{
    struct signer *s = signer_new(secrets, err);

    signer_free(s);
    return s != NULL;
}

bool signature_signing_check(const char *secrets, struct error *err)
{
    struct signer *s = signer_new(secrets, err);
    bool ok = s;

    for (size_t i = 0; ok && i < s->count; i++)
        if (s->keys[i].public_only)
            ok = error_set(err, ERROR_CONFIG, "secret %zu is the public half of a key, which cannot sign", i + 1);
    signer_free(s);
    return ok;
}

enum signature_kind signer_kind(const struct signer *s)
{
    return s->keys[0].kind;
}

void signer_add_public(const struct signer *s, struct buf *out)
{
    size_t start = out->length;

    for (size_t i = 0; i < s->count; i++) {
        if (s->keys[i].kind != SIGNATURE_ED25519)
            continue;
        if (out->length > start)
            buf_add_char(out, ' ');
        signature_key_add_public(&s->keys[i], out);
    }
}

/* ----------------------------------------------------------------------------------------------------- signing */

static void add_signed(struct buf *out, const char *id, int64_t timestamp_s, const char *body, size_t length)
{
    buf_printf(out, "%s.%lld.", id, (long long)timestamp_s);
    buf_add(out, body, length);
}

void signature_add(const struct signer *s, const char *id, int64_t timestamp_s, const char *body, size_t length,
                   struct buf *out)
{
    struct buf content = BUF_INIT;

    add_signed(&content, id, timestamp_s, body, length);
    for (size_t i = 0; i < s->count; i++) {
        if (i > 0)
            buf_add_char(out, ' ');
        signature_key_sign(&s->keys[i], &content, out);
    }
    buf_release(&content);
}

/* --------------------------------------------------------------------------------------------------- verifying */

static bool is_signed(const struct signer *s, const struct signature_claim *claim, int64_t timestamp_s,
                      const char *body, size_t length)
{
    struct buf content = BUF_INIT;
    bool found = false;

    add_signed(&content, claim->id, timestamp_s, body, length);
    for (size_t i = 0; i < s->count; i++)
        found |= signature_key_holds(&s->keys[i], &content, claim->signatures);
    buf_release(&content);
    return found;
}

bool signature_verify(const struct signer *s, const struct signature_claim *claim, int64_t now_s, const char *body,
                      size_t length, struct error *err)
{
    int64_t timestamp_s;

    if (!claim->id || !claim->id[0] || !claim->timestamp || !claim->signatures)
        return error_set(err, ERROR_INPUT, "webhook-id, webhook-timestamp or webhook-signature is missing");
    if (strlen(claim->id) > ID_MOST)
        return error_set(err, ERROR_INPUT, "webhook-id is longer than %d bytes", ID_MOST);
    if (!text_int(claim->timestamp, strlen(claim->timestamp), &timestamp_s) || timestamp_s < 0)
        return error_set(err, ERROR_INPUT, "webhook-timestamp is no number of seconds");
    if (timestamp_s < now_s - SIGNATURE_TOLERANCE_S || timestamp_s > now_s + SIGNATURE_TOLERANCE_S)
        return error_set(err, ERROR_INPUT, "webhook-timestamp is more than %d s from now", SIGNATURE_TOLERANCE_S);
    return is_signed(s, claim, timestamp_s, body, length) ||
           error_set(err, ERROR_INPUT, "no signature is by a secret that is known here");
}
