#include "notifier/salt.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum {
    SALT_BYTES = 32,
    SALT_TEXT_BYTES = 2 * SALT_BYTES + 1,
    KEY_TEXT_BYTES = 64,
    DAYS_KEPT = 32, /* in memory: a month may be sent again in any order */
    DAY_SECONDS = 24 * 60 * 60,
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
    int64_t purged_day; /* since 1970-01-01: the last on which Redis was asked to forget */
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

/* The second midnight from now; a salt of tomorrow, made by somebody whose clock is fast, must last through that day.
 */
static int64_t first_expiry_s(int64_t day, int64_t now_s)
{
    int64_t today = now_s / DAY_SECONDS;

    return day > today ? now_s + 2 * DAY_SECONDS : (today + 2) * DAY_SECONDS;
}

/* Another one's salt, as Redis keeps it; *lost: it went between the two questions. */
static bool adopt(struct salt *s, struct day *d, const char *key, const struct reply *reply, int64_t now_s, bool *lost,
                  struct error *err)
{
    if (reply->kind != REPLY_TEXT || reply->length != SALT_TEXT_BYTES - 1)
        return error_set(err, ERROR_AGAIN, "%s holds no salt", key);
    memcpy(d->text, reply->text, SALT_TEXT_BYTES);
    if (!redis_do(s->redis, s->arena, &reply, err, "TTL %s", key))
        return false;
    *lost = reply->integer == -2;
    d->expires_s = reply->integer >= 0 ? now_s + reply->integer : d->expires_s;
    return true;
}

static const char *key_of(int64_t day, char key[KEY_TEXT_BYTES])
{
    char date[16];

    time_format(day * DAY_SECONDS * US_PER_SECOND, "%Y-%m-%d", date, sizeof date);
    snprintf(key, KEY_TEXT_BYTES, "crier:{salt}:%s", date);
    return key;
}

/*
 * Once a day, for all processes together, whoever made the day's salt: an event of tomorrow may have asked for it
 * yesterday. To ask for a key makes Redis drop it if its time is over. Where the operator's Redis does not allow it, or
 * is just at it, the file is rewritten when it has grown.
 */
static void purge_file(struct salt *s, int64_t today)
{
    struct error ignored = ERROR_INIT;
    const struct reply *reply;
    char key[KEY_TEXT_BYTES];
    int64_t before;

    if (!redis_do(s->redis, s->arena, &reply, &ignored, "SET crier:{salt}:purged %lld GET", (long long)today))
        return;
    s->purged_day = today;
    if (reply->kind == REPLY_TEXT && text_int(reply->text, reply->length, &before) && before == today)
        return;
    for (int64_t day = today - 3; day < today - 1; day++)
        if (!redis_do(s->redis, s->arena, &reply, &ignored, "EXISTS %s", key_of(day, key)))
            return;
    if (!redis_do(s->redis, s->arena, &reply, &ignored, "BGREWRITEAOF"))
        log_debug("the append-only file is not rewritten: %s", ignored.text);
}

/* Offers d->text; whoever offered first is who all agree with. For as long as it has left: clocks may differ. */
static bool agree(struct salt *s, struct day *d, int64_t now_s, struct error *err)
{
    const struct reply *reply;
    char key[KEY_TEXT_BYTES];
    bool lost = true;

    key_of(d->number, key);
    while (lost) {
        if (!redis_do(s->redis, s->arena, &reply, err, "SET %s %s NX GET EX %lld", key, d->text,
                      (long long)(d->expires_s - now_s)))
            return false;
        lost = false;
        if (reply->kind != REPLY_NONE && !adopt(s, d, key, reply, now_s, &lost, err))
            return false;
    }
    if (s->purged_day != now_s / DAY_SECONDS)
        purge_file(s, now_s / DAY_SECONDS);
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

    for (size_t i = 0; i < DAYS_KEPT; i++)
        if (s->days[i].hash && s->days[i].expires_s <= now_s)
            forget(&s->days[i]);
    if (d->hash && d->number != number)
        forget(d);
    if (!d->hash)
        make_up(d, number, now_s);
    memcpy(before, d->text, sizeof before);
    arena_reset(s->arena);
    if (s->redis && !agree(s, d, now_s, err)) {
        err->kind = ERROR_AGAIN; /* whatever Redis refuses, the sender of the event cannot help */
        return error_in(err, "the day's salt");
    }
    if (!d->hash || memcmp(before, d->text, sizeof before) != 0) {
        keyed_hash_free(d->hash);
        d->hash = keyed_hash_new((const unsigned char *)d->text, SALT_TEXT_BYTES - 1);
    }
    OPENSSL_cleanse(before, sizeof before);
    d->sure_until_ms = clock_monotonic_ms() + RECHECK_MS;
    if ((d->expires_s - now_s) * 1000 < RECHECK_MS)
        d->sure_until_ms = clock_monotonic_ms() + (d->expires_s - now_s) * 1000;
    return true;
}

static struct day *day_of(struct salt *s, int64_t time_us, struct error *err)
{
    int64_t number = time_us / (DAY_SECONDS * US_PER_SECOND);
    struct day *d = &s->days[number % DAYS_KEPT];

    if (d->hash && d->number == number && clock_monotonic_ms() < d->sure_until_ms)
        return d;
    return refresh(s, d, number, err) ? d : NULL;
}

struct keyed_hash *salt_of(struct salt *s, int64_t time_us, struct error *err)
{
    struct day *d = day_of(s, time_us, err);

    return d ? d->hash : NULL;
}

const char *salt_text_of(struct salt *s, int64_t time_us, struct error *err)
{
    struct day *d = day_of(s, time_us, err);

    return d ? d->text : NULL;
}
