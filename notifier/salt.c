#include "notifier/salt.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"

enum {
    SALT_BYTES = 32,
    SALT_TEXT_BYTES = 2 * SALT_BYTES + 1,
    KEY_TEXT_BYTES = 64,
    DAYS_KEPT = 32, /* in memory: a month may be sent again in any order */
    DAY_SECONDS = 24 * 60 * 60,
    LIFE_SECONDS = 2 * DAY_SECONDS,
    RECHECK_MS = 60 * 1000, /* how long an emptied Redis may go unnoticed */
};

struct day {
    int64_t number;        /* days since 1970-01-01 */
    int64_t expires_s;     /* wall time at which Redis drops it */
    int64_t sure_until_ms; /* monotonic: not asked for again before */
    char text[SALT_TEXT_BYTES];
    struct keyed_hash *hash; /* NULL: the slot is empty */
};

struct salt {
    struct redis *redis;
    struct arena *arena;
    struct day days[DAYS_KEPT];
};

struct salt *salt_new(struct redis *redis)
{
    struct salt *s = xcalloc(1, sizeof *s);

    s->redis = redis;
    s->arena = arena_new();
    return s;
}

static void forget(struct day *d)
{
    keyed_hash_free(d->hash);
    OPENSSL_cleanse(d, sizeof *d);
}

void salt_free(struct salt *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < DAYS_KEPT; i++)
        forget(&s->days[i]);
    arena_free(s->arena);
    free(s);
}

static int64_t first_expiry_s(int64_t day, int64_t now_s)
{
    int64_t end_s = (day + 1) * DAY_SECONDS;

    return (end_s > now_s && end_s <= now_s + LIFE_SECONDS ? end_s : now_s) + LIFE_SECONDS;
}

/* Another one's salt, as Redis keeps it; *lost: it went between the two questions. */
static bool adopt(struct salt *s, struct day *d, const char *key, const struct reply *reply, bool *lost,
                  struct error *err)
{
    if (reply->kind != REPLY_TEXT || reply->length != SALT_TEXT_BYTES - 1)
        return error_set(err, ERROR_AGAIN, "%s holds no salt", key);
    memcpy(d->text, reply->text, SALT_TEXT_BYTES);
    if (!redis_do(s->redis, s->arena, &reply, err, "EXPIRETIME %s", key))
        return false;
    *lost = reply->integer == -2;
    d->expires_s = reply->integer >= 0 ? reply->integer : d->expires_s;
    return true;
}

/* Offers d->text; whoever offered first is who all agree with. */
static bool agree(struct salt *s, struct day *d, struct error *err)
{
    const struct reply *reply;
    char date[16], key[KEY_TEXT_BYTES];
    bool lost = true;

    time_format(d->number * DAY_SECONDS * US_PER_SECOND, "%Y-%m-%d", date, sizeof date);
    snprintf(key, sizeof key, "crier:{salt}:%s", date);
    while (lost) {
        if (!redis_do(s->redis, s->arena, &reply, err, "SET %s %s NX GET EXAT %lld", key, d->text,
                      (long long)d->expires_s))
            return false;
        lost = false;
        if (reply->kind != REPLY_NONE && !adopt(s, d, key, reply, &lost, err))
            return false;
    }
    return true;
}

static void make_up(struct day *d, int64_t number, int64_t now_s)
{
    unsigned char salt[SALT_BYTES];

    random_secret(salt, sizeof salt);
    d->number = number;
    d->expires_s = first_expiry_s(number, now_s);
    hash_hex(salt, sizeof salt, d->text);
    OPENSSL_cleanse(salt, sizeof salt);
}

static bool refresh(struct salt *s, struct day *d, int64_t number, struct error *err)
{
    int64_t now_s = clock_wall_us() / US_PER_SECOND;
    char before[SALT_TEXT_BYTES];

    if (d->hash && (d->number != number || d->expires_s <= now_s))
        forget(d);
    if (!d->hash)
        make_up(d, number, now_s);
    memcpy(before, d->text, sizeof before);
    arena_reset(s->arena);
    if (s->redis && !agree(s, d, err)) {
        err->kind = ERROR_AGAIN; /* whatever Redis refuses, the sender of the event cannot help */
        return error_in(err, "the day's salt");
    }
    if (!d->hash || memcmp(before, d->text, sizeof before) != 0) {
        keyed_hash_free(d->hash);
        d->hash = keyed_hash_new((const unsigned char *)d->text, SALT_TEXT_BYTES - 1);
    }
    d->sure_until_ms = clock_monotonic_ms() + RECHECK_MS;
    if ((d->expires_s - now_s) * 1000 < RECHECK_MS)
        d->sure_until_ms = clock_monotonic_ms() + (d->expires_s - now_s) * 1000;
    return true;
}

struct keyed_hash *salt_of(struct salt *s, int64_t time_us, struct error *err)
{
    int64_t number = time_us / (DAY_SECONDS * US_PER_SECOND);
    struct day *d = &s->days[number % DAYS_KEPT];

    if (d->hash && d->number == number && clock_monotonic_ms() < d->sure_until_ms)
        return d->hash;
    return refresh(s, d, number, err) ? d->hash : NULL;
}
