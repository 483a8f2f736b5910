#include "notifier/access_log/access_log_past.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "notifier/stream.h"

enum {
    SHORT_BYTES = 4096, /* a few lines: their digest could be found by trying addresses */
    SHORT_DIGITS = 4,   /* so that of all IPv4 addresses every 65,536th would fit */
};

/* KEYS: what begins in that second. ARGV: its digest before, its digest and offset now. */
static struct redis_script advance = {
    .text = "redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])\n"
            "if ARGV[1] ~= '' and ARGV[1] ~= ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end\n"
            "return 1\n",
};

static const char *past_key(int64_t first_us, char out[KEY_BYTES])
{
    char time[TIME_TEXT_BYTES];

    return queue_key("import", first_us > 0 ? time_text(first_us - first_us % US_PER_SECOND, time) : "none", out);
}

static int by_offset(const void *a, const void *b)
{
    const struct past *left = a, *right = b;

    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

bool past_read(struct redis *r, int64_t first_us, struct arena *arena, struct past **out, size_t *count,
               struct error *err)
{
    char key[KEY_BYTES];
    const struct reply *reply;

    *count = 0;
    if (!redis_do(r, arena, &reply, err, "HGETALL %s", past_key(first_us, key)))
        return false;
    *out = arena_zero(arena, (reply->count / 2 + 1) * sizeof **out);
    for (size_t i = 0; i + 1 < reply->count; i += 2) {
        const struct reply *digest = &reply->items[i], *offset = &reply->items[i + 1];
        struct past *p = &(*out)[*count];

        if (digest->length < PAST_DIGEST_BYTES && text_int(offset->text, offset->length, &p->offset)) {
            memcpy(p->digest, digest->text, digest->length);
            ++*count;
        }
    }
    qsort(*out, *count, sizeof **out, by_offset);
    return true;
}

void past_digest(const char *whole, int64_t offset, char out[PAST_DIGEST_BYTES])
{
    size_t length = offset < SHORT_BYTES ? SHORT_DIGITS : PAST_DIGEST_BYTES - 1;

    memcpy(out, whole, length);
    out[length] = '\0';
}

bool past_advance(struct redis *r, int64_t first_us, const struct past *before, const struct past *after,
                  struct error *err)
{
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    char key[KEY_BYTES];
    const struct reply *reply;
    bool ok;

    redis_script_args(&advance, &args, 1);
    args_text(&args, past_key(first_us, key));
    args_text(&args, before->digest);
    args_text(&args, after->digest);
    args_int(&args, after->offset);
    ok = redis_script_call(r, &advance, &args, arena, &reply, err);
    args_release(&args);
    arena_free(arena);
    return ok;
}
