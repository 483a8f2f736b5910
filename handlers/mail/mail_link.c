#include "handlers/mail/mail_link.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/text.h"
#include "handlers/mail/mail_pages.h"
#include "handlers/mail/mail_preferences.h"

enum { BASE_BYTES_MOST = 300 };

static const char key_name[] = "crier:{mail}:link_key";

bool mail_link_key_get(struct redis *r, struct arena *arena, struct mail_link_key *out, struct error *err)
{
    unsigned char secret[SHA256_BYTES];
    char made[DIGEST_TEXT_BYTES];
    const struct reply *reply;

    random_secret(secret, sizeof secret);
    hash_hex(secret, sizeof secret, made);
    if (!redis_do(r, arena, &reply, err, "SETNX %s %s", key_name, made) ||
        !redis_do(r, arena, &reply, err, "GET %s", key_name))
        return false;
    if (reply->kind != REPLY_TEXT || reply->length != sizeof out->text - 1)
        return error_set(err, ERROR_AGAIN, "%s in Redis is no key", key_name);
    memcpy(out->text, reply->text, sizeof out->text);
    return true;
}

static void sign(const struct mail_link_key *key, const char *signed_text, char out[ID_TEXT_BYTES])
{
    struct keyed_hash *k = keyed_hash_new((const unsigned char *)key->text, strlen(key->text));

    keyed_hash_id(k, signed_text, strlen(signed_text), out);
    keyed_hash_free(k);
}

/* No link has a space. */
bool mail_address_alias(struct redis *r, const char *digest, struct arena *arena, const char **out, struct error *err)
{
    struct mail_link_key key;
    char alias[ID_TEXT_BYTES];

    if (!mail_link_key_get(r, arena, &key, err))
        return false;
    sign(&key, arena_printf(arena, "audit %s", digest), alias);
    OPENSSL_cleanse(&key, sizeof key);
    *out = arena_printf(arena, "addresses/%s", alias);
    return true;
}

const char *mail_link(const struct mail_link_key *key, const char *base, const char *handler, const char *address,
                      struct arena *arena)
{
    char digest[ID_TEXT_BYTES], signature[ID_TEXT_BYTES];
    const char *what;

    mail_preference_digest(address, digest);
    what = arena_printf(arena, "%s/%s", digest, handler);
    sign(key, what, signature);
    return arena_printf(arena, "%s" MAIL_UNSUBSCRIBE_PATH "%s/%s", base, what, signature);
}

bool mail_link_read(const struct mail_link_key *key, const char *rest, struct arena *arena, const char **digest,
                    const char **handler)
{
    const char *first = strchr(rest, '/'), *last = strrchr(rest, '/');
    char signature[ID_TEXT_BYTES];

    if (!first || first == last || strlen(last + 1) != sizeof signature - 1)
        return false;
    sign(key, arena_copy(arena, rest, (size_t)(last - rest)), signature);
    if (CRYPTO_memcmp(signature, last + 1, sizeof signature - 1) != 0)
        return false;
    *digest = arena_copy(arena, rest, (size_t)(first - rest));
    *handler = arena_copy(arena, first + 1, (size_t)(last - first - 1));
    return true;
}

bool mail_link_base_check(const char *base, struct error *err)
{
    size_t length = strlen(base);

    if (!text_starts(base, "https://") || length > BASE_BYTES_MOST || base[length - 1] == '/' || strpbrk(base, "?#"))
        return error_set(err, ERROR_CONFIG,
                         "https://HOST and perhaps a path, without / at the end: where others reach this door");
    for (; *base; base++)
        if ((unsigned char)*base <= ' ' || (unsigned char)*base >= 0x7f || strchr("<>\"", *base))
            return error_set(err, ERROR_CONFIG, "it holds a character that no URL has");
    return true;
}
