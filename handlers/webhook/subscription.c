#include "handlers/webhook/subscription.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "handlers/webhook/subscription_fields.h"
#include "notifier/stream.h"

/* KEYS: subscription, ids, version. ARGV: id, most, then the subscription's words. */
static struct redis_script add_script = {
    .text = "if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[2]) then return 0 end\n"
            "redis.call('HSET', KEYS[1], unpack(ARGV, 3))\n"
            "redis.call('SADD', KEYS[2], ARGV[1])\n"
            "redis.call('INCR', KEYS[3])\n"
            "return 1\n",
};

/* KEYS: subscription, ids, version. ARGV: secrets, and those they were made from. -1: these are others by now. */
static struct redis_script secret_script = {
    .text = "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end\n"
            "if redis.call('HGET', KEYS[1], 'secret') ~= ARGV[2] then return -1 end\n"
            "redis.call('HSET', KEYS[1], 'secret', ARGV[1])\n"
            "redis.call('INCR', KEYS[3])\n"
            "return 1\n",
};

/* KEYS: subscription, ids, version, due, target, attempts. ARGV: id. Its deliveries expire, unseen without `due`. */
static struct redis_script remove_script = {
    .text = SCRIPT_ALLOW_OOM "local was = redis.call('SREM', KEYS[2], ARGV[1])\n"
                             "if was == 1 then\n"
                             "  redis.call('DEL', KEYS[1], KEYS[4], KEYS[5], KEYS[6])\n"
                             "  redis.call('INCR', KEYS[3])\n"
                             "end\n"
                             "return was\n",
};

/*
 * KEYS: subscription, ids, version. ARGV: how many fields, then name, text, sealed text of each. Only where all are as
 * they were read: a secret that was rotated meanwhile stays. The version, as it may open now where it did not.
 */
static struct redis_script seal_script = {
    .text = "for i = 1, tonumber(ARGV[1]) do\n"
            "  if redis.call('HGET', KEYS[1], ARGV[3 * i - 1]) ~= ARGV[3 * i] then return 0 end\n"
            "end\n"
            "for i = 1, tonumber(ARGV[1]) do redis.call('HSET', KEYS[1], ARGV[3 * i - 1], ARGV[3 * i + 1]) end\n"
            "redis.call('INCR', KEYS[3])\n"
            "return 1\n",
};

static const char *key(struct arena *arena, const char *what, const char *name)
{
    char text[KEY_BYTES], part[KEY_BYTES / 2];

    snprintf(part, sizeof part, "%s:%s", what, name);
    return arena_text(arena, queue_key("webhooks", part, text));
}

/* Sealed text opens for the field of the subscription that it was sealed for. */
static const char *place_of(const struct subscriptions *all, const char *id, const struct subscription_text *f,
                            struct arena *arena)
{
    return arena_printf(arena, "webhooks/%s/%s/%s", all->handler, id, f->name);
}

/* ---------------------------------------------------------------------------------------------------- changes */

static bool call(struct redis *r, struct redis_script *script, struct args *args, struct arena *arena, int64_t *out,
                 struct error *err)
{
    const struct reply *reply;
    bool ok = redis_script_call(r, script, args, arena, &reply, err);

    *out = ok ? reply->integer : 0;
    args_release(args);
    return ok;
}

static void keys_of(struct args *args, struct redis_script *script, int count, struct arena *arena,
                    const struct subscriptions *all, const char *id)
{
    static const char *const of_target[] = {"due", "target", "attempts"};

    redis_script_args(script, args, count);
    args_text(args, key(arena, "subscription", id));
    args_text(args, key(arena, "subscriptions", all->handler));
    args_text(args, key(arena, "subscriptions-version", all->handler));
    for (int i = 3; i < count; i++)
        args_text(args, key(arena, of_target[i - 3], id));
}

static const char *new_secret(enum signature_kind kind, struct arena *arena)
{
    struct buf text = BUF_INIT;
    const char *secret;

    signature_add_secret(kind, &text);
    secret = arena_copy(arena, text.data, text.length);
    buf_release(&text);
    return secret;
}

void subscription_make(struct subscription *s, enum signature_kind kind, struct arena *arena)
{
    unsigned char random[8];
    char digits[2 * sizeof random + 1];

    random_secret(random, sizeof random);
    hash_hex(random, sizeof random, digits);
    s->id = arena_printf(arena, SUBSCRIPTION_ID_START "%s", digits);
    if (!*s->secret)
        s->secret = new_secret(kind, arena);
    s->created_us = clock_wall_us();
}

bool subscription_kind(const char *word, enum signature_kind *out, struct error *err)
{
    *out = strcmp(word, "v1a") == 0 ? SIGNATURE_ED25519 : SIGNATURE_HMAC;
    return !*word || strcmp(word, "v1") == 0 || strcmp(word, "v1a") == 0 ||
           error_set(err, ERROR_INPUT, "signature: v1 or v1a");
}

static const char *newest_secret(const struct subscription *s, struct arena *arena)
{
    return arena_copy(arena, s->secret, strcspn(s->secret, " "));
}

const char *subscription_shown(const struct subscription *s, bool *public, struct arena *arena)
{
    const char *newest = newest_secret(s, arena);
    struct error ignored;
    struct signer *signer = signer_new(newest, &ignored);
    struct buf half = BUF_INIT;

    if (signer)
        signer_add_public(signer, &half);
    *public = half.length > 0;
    if (*public)
        newest = arena_copy(arena, half.data, half.length);
    buf_release(&half);
    signer_free(signer);
    return newest;
}

/* The text as Redis gets it. */
static const char *as_kept(const struct subscriptions *all, const char *id, const struct subscription_text *f,
                           const char *text, struct arena *arena)
{
    struct buf sealed = BUF_INIT;
    const char *kept;

    if (!f->sealed || !*text || !all->seal)
        return text;
    seal_add(all->seal, text, place_of(all, id, f, arena), &sealed);
    kept = arena_copy(arena, sealed.data, sealed.length);
    buf_release(&sealed);
    return kept;
}

bool subscription_add(const struct subscriptions *all, struct subscription *s, struct arena *arena, struct error *err)
{
    struct args args = ARGS_INIT;
    int64_t added;

    keys_of(&args, &add_script, 3, arena, all, s->id);
    args_text(&args, s->id);
    args_int(&args, SUBSCRIPTIONS_MOST);
    for (size_t i = 0; i < SUBSCRIPTION_FIELDS; i++) {
        args_text(&args, subscription_fields[i].name);
        args_text(&args,
                  as_kept(all, s->id, &subscription_fields[i], *subscription_field(s, &subscription_fields[i]), arena));
    }
    args_text(&args, "created_us");
    args_int(&args, s->created_us);
    return call(all->redis, &add_script, &args, arena, &added, err) &&
           (added > 0 || error_set(err, ERROR_INPUT, "there are %d subscriptions already", SUBSCRIPTIONS_MOST));
}

/* Which kind the next secret is of. */
static bool next_kind(const char *newest, const char *wanted, enum signature_kind *out, struct error *err)
{
    struct signer *signer;

    if (*wanted)
        return subscription_kind(wanted, out, err);
    signer = signer_new(newest, err);
    if (signer)
        *out = signer_kind(signer);
    signer_free(signer);
    return signer;
}

bool subscription_rotate(const struct subscriptions *all, struct subscription *s, bool over, const char *wanted,
                         struct arena *arena, struct error *err)
{
    static const struct subscription_text secret = {"secret", offsetof(struct subscription, secret), true};
    const char *newest = newest_secret(s, arena);
    struct args args = ARGS_INIT;
    enum signature_kind kind;
    int64_t was;

    if (!subscription_is_open(s, err) || !next_kind(newest, wanted, &kind, err))
        return false;
    s->secret = over ? newest : arena_printf(arena, "%s %s", new_secret(kind, arena), newest);
    keys_of(&args, &secret_script, 3, arena, all, s->id);
    args_text(&args, as_kept(all, s->id, &secret, s->secret, arena));
    args_text(&args, s->secret_kept);
    if (!call(all->redis, &secret_script, &args, arena, &was, err))
        return false;
    if (was < 0)
        return error_set(err, ERROR_INPUT, "%s was rotated or sealed at the same time: try it again", s->id);
    return was > 0 || error_set(err, ERROR_INPUT, "there is no subscription %s any more", s->id);
}

bool subscription_remove(const struct subscriptions *all, const char *id, bool *was, struct error *err)
{
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    int64_t removed;
    bool ok;

    keys_of(&args, &remove_script, 6, arena, all, id);
    args_text(&args, id);
    ok = call(all->redis, &remove_script, &args, arena, &removed, err);
    *was = removed > 0;
    arena_free(arena);
    return ok;
}

/* ---------------------------------------------------------------------------------------------------- reading */

static bool open_field(const struct subscriptions *all, struct subscription *s, const struct subscription_text *f,
                       struct arena *arena, struct error *err)
{
    const char **text = subscription_field(s, f);
    struct buf plain = BUF_INIT;
    bool ok;

    if (!**text)
        return true;
    s->seal_old = s->seal_old || !all->seal || !seal_is_newest(all->seal, *text);
    if (!seal_is(*text))
        return true;
    ok = seal_open(all->seal, *text, place_of(all, s->id, f, arena), &plain, err);
    if (ok)
        *text = arena_copy(arena, plain.data, plain.length);
    buf_release(&plain);
    return ok || error_in(err, "%s", f->name);
}

/* One that does not open is there all the same: it can be seen, and removed. */
static void open_fields(const struct subscriptions *all, struct subscription *s, struct arena *arena)
{
    struct error err;
    bool ok = true;

    for (size_t i = 0; ok && i < SUBSCRIPTION_FIELDS; i++)
        ok = !subscription_fields[i].sealed || open_field(all, s, &subscription_fields[i], arena, &err);
    if (ok)
        return;
    s->closed = arena_text(arena, err.text);
    s->url = s->secret = s->headers = "";
}

/* False: it was removed meanwhile. */
static bool read_one(const struct subscriptions *all, const struct reply *flat, const char *id, struct arena *arena,
                     struct subscription *out)
{
    *out = (struct subscription){.id = id, .closed = ""};
    for (size_t i = 0; i < SUBSCRIPTION_FIELDS; i++)
        *subscription_field(out, &subscription_fields[i]) = reply_field_text(flat, subscription_fields[i].name);
    out->secret_kept = out->secret;
    out->created_us = strtoll(reply_field_text(flat, "created_us"), NULL, 10);
    open_fields(all, out, arena);
    return flat->count > 0;
}

static int by_age(const void *a, const void *b)
{
    const struct subscription *x = a, *y = b;

    if (x->created_us != y->created_us)
        return x->created_us < y->created_us ? -1 : 1;
    return strcmp(x->id, y->id);
}

bool subscription_list(const struct subscriptions *all, struct arena *arena, struct subscription **out, size_t *count,
                       struct error *err)
{
    const struct reply *ids, *flat;

    *count = 0;
    if (!redis_do(all->redis, arena, &ids, err, "SMEMBERS %s", key(arena, "subscriptions", all->handler)))
        return false;
    *out = arena_zero(arena, (ids->count + 1) * sizeof **out);
    for (size_t i = 0; i < ids->count; i++) {
        const char *id = ids->items[i].text;

        if (!redis_do(all->redis, arena, &flat, err, "HGETALL %s", key(arena, "subscription", id)))
            return false;
        *count += read_one(all, flat, id, arena, &(*out)[*count]);
    }
    qsort(*out, *count, sizeof **out, by_age);
    return true;
}

bool subscription_find(const struct subscriptions *all, const char *id, struct arena *arena, struct subscription **out,
                       struct error *err)
{
    const struct reply *member, *flat;
    struct subscription *found = arena_zero(arena, sizeof *found);

    *out = NULL;
    if (!redis_do(all->redis, arena, &member, err, "SISMEMBER %s %s", key(arena, "subscriptions", all->handler), id) ||
        !redis_do(all->redis, arena, &flat, err, "HGETALL %s", key(arena, "subscription", id)))
        return false;
    if (member->integer == 1 && read_one(all, flat, arena_text(arena, id), arena, found))
        *out = found;
    return true;
}

bool subscription_version(const struct subscriptions *all, struct arena *arena, int64_t *version, struct error *err)
{
    const struct reply *reply;

    if (!redis_do(all->redis, arena, &reply, err, "GET %s", key(arena, "subscriptions-version", all->handler)))
        return false;
    *version = reply->kind == REPLY_TEXT ? strtoll(reply->text, NULL, 10) : 0;
    return true;
}

/* ------------------------------------------------------------------------------------------------ sealing anew */

bool subscription_seal(const struct subscriptions *all, const char *id, struct arena *arena, bool *was,
                       struct error *err)
{
    struct subscription now;
    struct args args = ARGS_INIT;
    const struct reply *flat;
    int64_t sealed;

    *was = false;
    if (!all->seal)
        return error_set(err, ERROR_CONFIG, "there is no [redis] sealing_key");
    if (!redis_do(all->redis, arena, &flat, err, "HGETALL %s", key(arena, "subscription", id)))
        return false;
    if (!read_one(all, flat, id, arena, &now))
        return true;
    if (!subscription_is_open(&now, err))
        return false;
    keys_of(&args, &seal_script, 3, arena, all, id);
    args_int(&args, SUBSCRIPTION_FIELDS_SEALED);
    for (size_t i = 0; i < SUBSCRIPTION_FIELDS; i++) {
        if (!subscription_fields[i].sealed)
            continue;
        args_text(&args, subscription_fields[i].name);
        args_text(&args, reply_field_text(flat, subscription_fields[i].name));
        args_text(&args,
                  as_kept(all, id, &subscription_fields[i], *subscription_field(&now, &subscription_fields[i]), arena));
    }
    if (!call(all->redis, &seal_script, &args, arena, &sealed, err))
        return false;
    *was = sealed > 0;
    return true;
}
