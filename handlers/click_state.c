#include "handlers/click_state.h"

#include <stdlib.h>

#include "notifier/stream.h"

enum {
    CHUNK_CLICKS = 64, /* in one call of the script: Redis serves nobody else meanwhile */
    MEMBERS_MOST = 10000,
    OUTAGE_MS = 3600 * 1000,
    WORDS_A_PLACE = 3, /* of a reply */
};

/*
 * KEYS: of each place. ARGV: the span, the most members of a set, then of each its time to live, time and member. All
 * are added before the first is looked up. The time to live is not lengthened by one that is there already: an event
 * that waits for its predecessor's document comes again and again, and must not wait for ever. Replies of each whether
 * it is followed, the member before it and that one's time. An event given anew at another time is where it was last.
 *
 * It leads to events being acknowledged and trimmed, so it must go through when memory is short.
 */
static struct redis_script look_script = {
    .text = SCRIPT_ALLOW_OOM
    "local call, span, most, out = redis.call, tonumber(ARGV[1]), tonumber(ARGV[2]), {}\n"
    "for i, key in ipairs(KEYS) do\n"
    "  local at = 3 * i\n"
    "  if call('ZADD', key, 'GT', 'CH', ARGV[at + 1], ARGV[at + 2]) == 1 then\n"
    "    call('PEXPIRE', key, ARGV[at])\n"
    "    if call('ZCARD', key) > most then call('ZREMRANGEBYRANK', key, 0, 0) end\n"
    "  end\n"
    "end\n"
    "for i, key in ipairs(KEYS) do\n"
    "  local time, member = tonumber(ARGV[3 * i + 1]), ARGV[3 * i + 2]\n"
    "  local followed, before, before_time = 0, '', '0'\n"
    "  if tonumber(call('ZSCORE', key, member) or -1) == time then\n"
    "    local rank = call('ZRANK', key, member)\n"
    "    local next = call('ZRANGE', key, rank + 1, rank + 1, 'WITHSCORES')\n"
    "    if next[1] and tonumber(next[2]) - time <= span then followed = 1 end\n"
    "    local last = rank > 0 and call('ZRANGE', key, rank - 1, rank - 1, 'WITHSCORES')\n"
    "    if last and time - tonumber(last[2]) <= span then before, before_time = unpack(last) end\n"
    "  end\n"
    "  out[#out + 1] = followed\n"
    "  out[#out + 1] = before\n"
    "  out[#out + 1] = before_time\n"
    "end\n"
    "return out\n",
};

static const char *set_key(struct arena *arena, const char *queue, const char *name, struct span key)
{
    char start[KEY_BYTES];

    return arena_printf(arena, "%s%s:%.*s", queue_key(queue, "clicks:", start), name, (int)key.length, key.text);
}

static bool send_chunk(struct redis *r, struct args *args, const char *queue, const char *name,
                       struct click_place *const *places, size_t count, struct arena *arena, struct error *err)
{
    redis_script_args(&look_script, args, (int)count);
    for (size_t i = 0; i < count; i++)
        args_text(args, set_key(arena, queue, name, places[i]->key));
    args_int(args, CLICK_SPAN_US);
    args_int(args, MEMBERS_MOST);
    for (size_t i = 0; i < count; i++) {
        args_int(args, places[i]->lateness_ms + OUTAGE_MS);
        args_int(args, places[i]->time_us);
        args_bytes(args, places[i]->member.text, places[i]->member.length);
    }
    return redis_append(r, args, err);
}

static bool read_places(const struct reply *reply, struct click_place *const *places, size_t count, struct error *err)
{
    if (reply->count != count * WORDS_A_PLACE)
        return error_set(err, ERROR_AGAIN, "Redis answers for %zu clicks instead of %zu", reply->count / WORDS_A_PLACE,
                         count);
    for (size_t i = 0; i < count; i++) {
        const struct reply *words = &reply->items[i * WORDS_A_PLACE];

        places[i]->followed = words[0].integer == 1;
        places[i]->before = (struct span){words[1].text, words[1].length};
        places[i]->before_us = (int64_t)strtod(words[2].text, NULL);
    }
    return true;
}

static size_t part(size_t count, size_t at)
{
    return count - at < CHUNK_CLICKS ? count - at : CHUNK_CLICKS;
}

/* Sends all, then reads as many replies. Where Redis does not know the script, *again says so. */
static bool pipeline(struct redis *r, const char *queue, const char *name, struct click_place *const *places,
                     size_t count, struct arena *arena, bool *again, struct error *err)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    bool ok = true;

    *again = false;
    for (size_t at = 0; ok && at < count; at += CHUNK_CLICKS)
        ok = send_chunk(r, &args, queue, name, places + at, part(count, at), arena, err);
    for (size_t at = 0; ok && at < count; at += CHUNK_CLICKS) {
        ok = redis_next(r, arena, &reply, err);
        if (ok && reply_error_is(reply, "NOSCRIPT"))
            *again = true;
        else
            ok = ok && reply_ok(reply, err) && read_places(reply, places + at, part(count, at), err);
    }
    args_release(&args);
    return ok;
}

bool click_state_look(struct redis *r, const char *queue, const char *name, struct click_place *const *places,
                      size_t count, struct arena *arena, struct error *err)
{
    bool again, ok = pipeline(r, queue, name, places, count, arena, &again, err);

    if (ok && again)
        ok = redis_script_load(r, &look_script, err) && pipeline(r, queue, name, places, count, arena, &again, err) &&
             (!again || error_set(err, ERROR_AGAIN, "Redis forgets its scripts at once"));
    if (ok)
        return true;
    redis_drop(r); /* replies may be under way, or the server be no longer the master */
    return error_in(err, "clicks");
}

bool click_state_forget(struct redis *r, const char *queue, const char *name, const struct click_place *place,
                        struct error *err)
{
    struct arena *arena = arena_new();
    bool ok = redis_do(r, arena, NULL, err, "ZREM %s %b", set_key(arena, queue, name, place->key), place->member.text,
                       place->member.length);

    arena_free(arena);
    return ok;
}
