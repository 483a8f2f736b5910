#include "notifier/access/token.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "notifier/access/scope.h"

#define TOKENS     "crier:{access}:tokens"
#define GENERATION "crier:{access}:generation"
#define START      "crier_"

static void digest_of(const char *secret, unsigned char out[SHA256_BYTES])
{
    struct digest *d = digest_new();

    digest_start(d);
    digest_part(d, secret, strlen(secret));
    digest_end(d, out);
    digest_free(d);
}

/* ------------------------------------------------------------------------------------------- as Redis keeps one */

static void add_token(const struct token *t, struct buf *out)
{
    struct buf scopes = BUF_INIT;
    char digest[DIGEST_TEXT_BYTES];

    scopes_add(t->scopes, &scopes);
    hash_hex(t->digest, SHA256_BYTES, digest);
    buf_add_text(out, "{\"name\":");
    buf_add_json_text(out, t->name);
    buf_add_text(out, ",\"scopes\":");
    buf_add_json_text(out, scopes.data);
    buf_add_text(out, ",\"events\":");
    buf_add_json_text(out, t->events);
    buf_printf(out, ",\"created_us\":%lld,\"expires_us\":%lld,\"sha256\":\"%s\"}", (long long)t->created_us,
               (long long)t->expires_us, digest);
    buf_release(&scopes);
}

static bool read_digest(const char *text, unsigned char out[SHA256_BYTES])
{
    if (strlen(text) != DIGEST_TEXT_BYTES - 1)
        return false;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        unsigned byte;

        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            return false;
        out[i] = (unsigned char)byte;
    }
    return true;
}

/* False: it is not what add_token writes, and opens nothing. */
static bool read_token(const struct reply *id, const struct reply *value, struct token *t)
{
    struct error ignored;
    json_t *kept = json_text_parse(value->text, value->length, JSON_DEPTH_DEFAULT, &ignored);
    bool ok = kept && id->length == TOKEN_ID_BYTES - 1 &&
              read_digest(json_member_text(kept, "sha256", ""), t->digest) &&
              scopes_read(json_member_text(kept, "scopes", ""), &t->scopes, &ignored);

    if (ok) {
        snprintf(t->id, sizeof t->id, "%s", id->text);
        snprintf(t->name, sizeof t->name, "%s", json_member_text(kept, "name", ""));
        snprintf(t->events, sizeof t->events, "%s", json_member_text(kept, "events", ""));
        t->created_us = json_integer_value(json_object_get(kept, "created_us"));
        t->expires_us = json_integer_value(json_object_get(kept, "expires_us"));
    }
    json_decref(kept);
    return ok;
}

/* ------------------------------------------------------------------------------------------------- all of them */

/* KEYS: tokens, generation. ARGV: id, then the token, or nothing to revoke it. Replies whether anything changed. */
static struct redis_script change = {
    .text = "local changed\n"
            "if ARGV[2] then changed = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])\n"
            "else changed = redis.call('HDEL', KEYS[1], ARGV[1]) end\n"
            "if changed == 1 then redis.call('INCR', KEYS[2]) end\n"
            "return changed\n",
};

static bool change_tokens(struct redis *r, const char *id, const struct buf *token, bool *changed, struct error *err)
{
    struct args args = ARGS_INIT;
    struct arena *arena = arena_new();
    const struct reply *reply = NULL;
    bool ok;

    redis_script_args(&change, &args, 2);
    args_text(&args, TOKENS);
    args_text(&args, GENERATION);
    args_text(&args, id);
    if (token)
        args_bytes(&args, token->data, token->length);
    ok = redis_script_call(r, &change, &args, arena, &reply, err);
    *changed = ok && reply->integer == 1;
    args_release(&args);
    arena_free(arena);
    return ok;
}

bool token_create(struct redis *r, struct token *t, char text[TOKEN_TEXT_BYTES], struct error *err)
{
    unsigned char bytes[(TOKEN_SECRET_BYTES - 1) / 2];
    char secret[TOKEN_SECRET_BYTES];
    struct buf kept = BUF_INIT;
    bool made = false, ok;

    random_secret(bytes, (TOKEN_ID_BYTES - 1) / 2);
    hash_hex(bytes, (TOKEN_ID_BYTES - 1) / 2, t->id);
    random_secret(bytes, sizeof bytes);
    hash_hex(bytes, sizeof bytes, secret);
    digest_of(secret, t->digest);
    t->created_us = clock_wall_us();
    add_token(t, &kept);
    ok = change_tokens(r, t->id, &kept, &made, err);
    if (ok && !made)
        ok = error_set(err, ERROR_AGAIN, "the id is taken already; try again");
    snprintf(text, TOKEN_TEXT_BYTES, START "%s_%s", t->id, secret);
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(secret, sizeof secret);
    buf_release(&kept);
    return ok;
}

bool token_revoke(struct redis *r, const char *id, bool *was, struct error *err)
{
    return change_tokens(r, id, NULL, was, err);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct token *)a)->id, ((const struct token *)b)->id);
}

bool token_list(struct redis *r, struct arena *arena, struct token **out, size_t *count, struct error *err)
{
    const struct reply *reply;

    *count = 0;
    if (!redis_do(r, arena, &reply, err, "HGETALL " TOKENS))
        return false;
    *out = arena_zero(arena, (reply->count / 2 + 1) * sizeof **out);
    for (size_t i = 0; i + 1 < reply->count; i += 2)
        *count += read_token(&reply->items[i], &reply->items[i + 1], &(*out)[*count]);
    qsort(*out, *count, sizeof **out, by_id);
    return true;
}

bool token_generation(struct redis *r, struct arena *arena, int64_t *generation, struct error *err)
{
    const struct reply *reply;

    *generation = 0;
    return redis_do(r, arena, &reply, err, "GET " GENERATION) &&
           (reply->kind != REPLY_TEXT || text_int(reply->text, reply->length, generation) ||
            error_set(err, ERROR_AGAIN, GENERATION " is no number"));
}

/* ------------------------------------------------------------------------------------------------- one of them */

static bool is_hexadecimal(const char *text, size_t length)
{
    return strspn(text, "0123456789abcdef") >= length;
}

bool token_parse(const char *text, char id[TOKEN_ID_BYTES], char secret[TOKEN_SECRET_BYTES])
{
    const char *at = text + strlen(START);

    if (strlen(text) != TOKEN_TEXT_BYTES - 1 || !text_starts(text, START) || !is_hexadecimal(at, TOKEN_ID_BYTES - 1) ||
        at[TOKEN_ID_BYTES - 1] != '_' || !is_hexadecimal(at + TOKEN_ID_BYTES, TOKEN_SECRET_BYTES - 1))
        return false;
    snprintf(id, TOKEN_ID_BYTES, "%s", at);
    snprintf(secret, TOKEN_SECRET_BYTES, "%s", at + TOKEN_ID_BYTES);
    return true;
}

bool token_is(const struct token *t, const char secret[TOKEN_SECRET_BYTES])
{
    unsigned char digest[SHA256_BYTES];

    digest_of(secret, digest);
    return CRYPTO_memcmp(digest, t->digest, sizeof digest) == 0;
}
