#include "handlers/delivery/delivery_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static const int64_t keep_s = 30 * 86400;

/*
 * KEYS: due, delivery, target. ARGV: id, when it is due, seconds to keep it, most that may wait (0: any number), then
 * the delivery's words. Returns whether it is kept, or was: 0: the target is off, -1: too many wait.
 */
static struct redis_script add_script = {
    .text = "if redis.call('HEXISTS', KEYS[2], 'done') == 1 then return 1 end\n"
            "if redis.call('HEXISTS', KEYS[3], 'off') == 1 then return 0 end\n"
            "local most = tonumber(ARGV[4])\n"
            "if most > 0 and redis.call('ZCARD', KEYS[1]) >= most and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then\n"
            "  return -1\n"
            "end\n"
            "if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('HSET', KEYS[2], unpack(ARGV, 5)) end\n"
            "redis.call('EXPIRE', KEYS[2], ARGV[3])\n"
            "redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[1])\n"
            "redis.call('EXPIRE', KEYS[1], ARGV[3])\n"
            "return 1\n",
};

/*
 * KEYS: due, target, and wishes where they are wanted. ARGV: now, the claim's end, what a delivery's key begins with,
 * the owner. Returns how long nothing is due (-1: not known), or 0, id, the delivery's words, and the recipient's
 * wishes where it says who that is. A delivery that expired is passed over.
 */
static struct redis_script claim_script = {
    .text = SCRIPT_ALLOW_OOM "local target = redis.call('HMGET', KEYS[2], 'off', 'quiet_us', 'paused_us')\n"
                             "local now = tonumber(ARGV[1])\n"
                             "if target[1] or target[3] then return {-1} end\n"
                             "if target[2] and tonumber(target[2]) > now then return {tonumber(target[2]) - now} end\n"
                             "for i = 1, 100 do\n"
                             "  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')\n"
                             "  if #first == 0 then return {-1} end\n"
                             "  if tonumber(first[2]) > now then return {tonumber(first[2]) - now} end\n"
                             "  local delivery = redis.call('HGETALL', ARGV[3] .. first[1])\n"
                             "  if #delivery > 0 then\n"
                             "    redis.call('ZADD', KEYS[1], ARGV[2], first[1])\n"
                             "    local who = KEYS[3] and redis.call('HGET', ARGV[3] .. first[1], 'who')\n"
                             "    if not who then return {0, first[1], delivery} end\n"
                             "    local wishes = redis.call('HMGET', KEYS[3], who, who .. ':' .. ARGV[4])\n"
                             "    return {0, first[1], delivery, wishes}\n"
                             "  end\n"
                             "  redis.call('ZREM', KEYS[1], first[1])\n"
                             "end\n"
                             "return {1}\n",
};

/*
 * KEYS: due, target, attempts, delivery. ARGV: id, the claim's end, fate, when it is due next, tries, quiet until, now,
 * most attempts, seconds to keep them, seconds to remember what was done, then the attempt's words. Where the claim is
 * another's by now, only what is final for both counts: that it was delivered.
 */
static struct redis_script settle_script = {
    .text = SCRIPT_ALLOW_OOM
    "local score = redis.call('ZSCORE', KEYS[1], ARGV[1])\n"
    "local mine = score and tonumber(score) == tonumber(ARGV[2])\n"
    "redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], '*', unpack(ARGV, 11))\n"
    "redis.call('EXPIRE', KEYS[3], ARGV[9])\n"
    "if ARGV[3] == 'again' and mine then\n"
    "  redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1])\n"
    "  redis.call('HSET', KEYS[4], 'tries', ARGV[5])\n"
    "elseif ARGV[3] == 'done' or (ARGV[3] == 'dead' and mine) then\n"
    "  redis.call('ZREM', KEYS[1], ARGV[1])\n"
    "  redis.call('DEL', KEYS[4])\n"
    "  if ARGV[3] == 'done' and ARGV[10] ~= '0' then\n"
    "    redis.call('HSET', KEYS[4], 'done', ARGV[7])\n"
    "    redis.call('EXPIRE', KEYS[4], ARGV[10])\n"
    "  end\n"
    "end\n"
    "if ARGV[3] == 'done' then redis.call('HDEL', KEYS[2], 'failing_us', 'quiet_us', 'told') return 0 end\n"
    "if not score then return 0 end\n" /* another settled it, or it is removed with its target */
    "redis.call('HSETNX', KEYS[2], 'failing_us', ARGV[7])\n"
    "if ARGV[6] ~= '0' then redis.call('HSET', KEYS[2], 'quiet_us', ARGV[6]) end\n"
    "return tonumber(redis.call('HGET', KEYS[2], 'failing_us'))\n",
};

static void key_of(const struct delivery_store *s, const char *what, const char *end, char out[KEY_BYTES])
{
    char name[KEY_BYTES / 2];

    snprintf(name, sizeof name, "%s:%s%s", what, s->owner, end);
    queue_key(s->area, name, out);
}

void delivery_store_init(struct delivery_store *s, struct redis *r, const char *area, const char *owner)
{
    *s = (struct delivery_store){.redis = r, .args = ARGS_INIT, .area = area, .owner = owner};
    key_of(s, "due", "", s->due);
    key_of(s, "target", "", s->target);
    key_of(s, "attempts", "", s->attempts);
    key_of(s, "delivery", ":", s->delivery);
}

void delivery_store_release(struct delivery_store *s)
{
    args_release(&s->args);
}

void delivery_id(const char *prefix, const char *first, const char *second, const struct event *e,
                 char out[DELIVERY_ID_BYTES])
{
    struct digest *d = digest_new();
    char digits[ID_TEXT_BYTES];

    digest_start(d);
    digest_part(d, first, strlen(first));
    digest_part(d, e->unique.text, e->unique.length);
    if (*second)
        digest_part(d, second, strlen(second));
    digest_end_id(d, digits);
    digest_free(d);
    snprintf(out, DELIVERY_ID_BYTES, "%s%s", prefix, digits);
}

/* ------------------------------------------------------------------------------------------------- adding, claiming */

static void add_args(struct delivery_store *s, const struct delivery_order *o, int64_t due_us, int64_t most,
                     struct arena *arena)
{
    redis_script_args(&add_script, &s->args, 3);
    args_text(&s->args, s->due);
    args_text(&s->args, arena_printf(arena, "%s%s", s->delivery, o->id));
    args_text(&s->args, s->target);
    args_text(&s->args, o->id);
    args_int(&s->args, due_us);
    args_int(&s->args, keep_s);
    args_int(&s->args, most);
    if (*o->to) {
        args_text(&s->args, "to");
        args_text(&s->args, o->to);
    }
    if (o->note && *o->note) {
        args_text(&s->args, "note");
        args_text(&s->args, o->note);
    }
    if (o->who) {
        args_text(&s->args, "who");
        args_text(&s->args, o->who);
    }
    event_add_fields(o->event, &s->args);
}

static void count_added(const struct reply *reply, struct delivery_added *out)
{
    out->kept += reply->integer > 0;
    out->off += reply->integer == 0;
    out->too_many += reply->integer < 0;
}

static bool add_pipeline(struct delivery_store *s, const struct delivery_news *news, struct arena *arena,
                         struct delivery_added *out, bool *again, struct error *err)
{
    const struct reply *reply;
    bool ok = true;

    *out = (struct delivery_added){.kept = 0};
    *again = false;
    for (size_t i = 0; i < news->count; i++) {
        add_args(s, &news->orders[i], news->now_us + (int64_t)i, news->most_waiting, arena);
        if (!redis_append(s->redis, &s->args, err))
            return false;
    }
    for (size_t i = 0; i < news->count; i++) {
        if (!redis_next(s->redis, arena, &reply, err))
            return false;
        if (reply_error_is(reply, "NOSCRIPT"))
            *again = true;
        else if (reply_ok(reply, err))
            count_added(reply, out);
        else
            ok = false;
    }
    return ok;
}

bool delivery_store_add(struct delivery_store *s, const struct delivery_news *news, struct arena *arena,
                        struct delivery_added *out, struct error *err)
{
    bool again, ok = add_pipeline(s, news, arena, out, &again, err);

    if (ok && again)
        ok = redis_script_load(s->redis, &add_script, err) && add_pipeline(s, news, arena, out, &again, err) &&
             (!again || error_set(err, ERROR_AGAIN, "Redis forgets its scripts at once"));
    if (!ok)
        redis_drop(s->redis); /* replies may be under way */
    return ok;
}

bool delivery_store_waiting(struct delivery_store *s, struct arena *arena, int64_t *out, struct error *err)
{
    const struct reply *reply;

    if (!redis_do(s->redis, arena, &reply, err, "ZCARD %s", s->due))
        return false;
    *out = reply->integer;
    return true;
}

static void claim_args(struct delivery_store *s, int64_t now_us, int64_t hold_us)
{
    redis_script_args(&claim_script, &s->args, s->wishes ? 3 : 2);
    args_text(&s->args, s->due);
    args_text(&s->args, s->target);
    if (s->wishes)
        args_text(&s->args, s->wishes);
    args_int(&s->args, now_us);
    args_int(&s->args, now_us + hold_us);
    args_text(&s->args, s->delivery);
    args_text(&s->args, s->owner);
}

bool delivery_store_ask_claim(struct delivery_store *s, int64_t now_us, int64_t hold_us, struct error *err)
{
    claim_args(s, now_us, hold_us);
    return redis_append(s->redis, &s->args, err);
}

bool delivery_store_read_claim(const struct reply *reply, int64_t until_us, struct delivery_claim *out,
                               struct error *err)
{
    *out = (struct delivery_claim){.id = "", .to = "", .event = event_none, .until_us = until_us, .wait_us = -1};
    if (reply->kind != REPLY_ARRAY || reply->count < 3) {
        out->wait_us = reply->count ? reply->items[0].integer : -1;
        return true;
    }
    out->id = reply->items[1].text;
    out->to = reply_field_text(&reply->items[2], "to");
    out->note = reply_field_text(&reply->items[2], "note");
    out->tries = atoi(reply_field_text(&reply->items[2], "tries"));
    out->wishes = reply->count > 3 ? &reply->items[3] : NULL;
    return event_from_fields(&out->event, &reply->items[2], err);
}

bool delivery_store_claim(struct delivery_store *s, int64_t now_us, int64_t hold_us, struct arena *arena,
                          struct delivery_claim *out, struct error *err)
{
    const struct reply *reply;

    claim_args(s, now_us, hold_us);
    return redis_script_call(s->redis, &claim_script, &s->args, arena, &reply, err) &&
           delivery_store_read_claim(reply, now_us + hold_us, out, err);
}

/* ---------------------------------------------------------------------------------------------------- settling */

static const char *const fates[] = {[DELIVERY_DONE] = "done", [DELIVERY_AGAIN] = "again", [DELIVERY_DEAD] = "dead"};

static void attempt_args(struct args *args, const struct delivery_claim *claim, const struct delivery_attempt *a)
{
    args_text(args, "id");
    args_text(args, claim->id);
    if (*claim->to) {
        args_text(args, "to");
        args_text(args, claim->to);
    }
    args_text(args, "event");
    args_bytes(args, claim->event.id.text, claim->event.id.length);
    args_text(args, "type");
    args_bytes(args, claim->event.type.text, claim->event.type.length);
    args_text(args, "number");
    args_int(args, claim->tries + 1);
    args_text(args, "fate");
    args_text(args, fates[a->fate]);
    args_text(args, "status");
    args_int(args, a->status);
    args_text(args, "started_us");
    args_int(args, a->started_us);
    args_text(args, "took_ms");
    args_int(args, a->took_ms);
    args_text(args, "error");
    args_text(args, a->error);
    args_text(args, "reply");
    args_bytes(args, a->reply.text, a->reply.length < DELIVERY_REPLY_BYTES ? a->reply.length : DELIVERY_REPLY_BYTES);
}

static void settle_args(struct delivery_store *s, const struct delivery_claim *claim,
                        const struct delivery_attempt *attempt, struct arena *arena)
{
    redis_script_args(&settle_script, &s->args, 4);
    args_text(&s->args, s->due);
    args_text(&s->args, s->target);
    args_text(&s->args, s->attempts);
    args_text(&s->args, arena_printf(arena, "%s%s", s->delivery, claim->id));
    args_text(&s->args, claim->id);
    args_int(&s->args, claim->until_us);
    args_text(&s->args, fates[attempt->fate]);
    args_int(&s->args, attempt->next_us);
    args_int(&s->args, claim->tries + 1);
    args_int(&s->args, attempt->quiet_until_us);
    args_int(&s->args, attempt->started_us);
    args_int(&s->args, DELIVERY_ATTEMPTS_MOST);
    args_int(&s->args, keep_s);
    args_int(&s->args, s->remember_s);
    attempt_args(&s->args, claim, attempt);
}

bool delivery_store_ask_settle(struct delivery_store *s, const struct delivery_claim *claim,
                               const struct delivery_attempt *attempt, struct arena *arena, struct error *err)
{
    settle_args(s, claim, attempt, arena);
    return redis_append(s->redis, &s->args, err);
}

bool delivery_store_read_settle(const struct reply *reply, int64_t *failing_since_us, struct error *err)
{
    *failing_since_us = reply->integer;
    return reply->kind == REPLY_INTEGER ||
           error_set(err, ERROR_AGAIN, "Redis answers a settled delivery with no number");
}

bool delivery_store_settle(struct delivery_store *s, const struct delivery_claim *claim,
                           const struct delivery_attempt *attempt, struct arena *arena, int64_t *failing_since_us,
                           struct error *err)
{
    const struct reply *reply;

    settle_args(s, claim, attempt, arena);
    return redis_script_call(s->redis, &settle_script, &s->args, arena, &reply, err) &&
           delivery_store_read_settle(reply, failing_since_us, err);
}

bool delivery_store_attempts(struct delivery_store *s, size_t most, struct arena *arena, const struct reply **out,
                             struct error *err)
{
    return redis_do(s->redis, arena, out, err, "XREVRANGE %s + - COUNT %d", s->attempts, (int)most);
}

bool delivery_attempt_done(const struct delivery_attempt *a, struct error *why)
{
    if (a->fate == DELIVERY_DONE)
        return true;
    return *a->error ? error_set(why, ERROR_AGAIN, "%s", a->error)
                     : error_set(why, ERROR_AGAIN, "it was answered with %d", (int)a->status);
}
