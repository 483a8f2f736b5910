#include "handlers/webhook/webhook_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define AREA "webhooks" /* the hash tag of all keys */

/* KEYS: target. ARGV: reason, now. */
static struct redis_script off_script = {
    .text = "local new = redis.call('HSETNX', KEYS[1], 'off', ARGV[1])\n"
            "if new == 1 then redis.call('HSET', KEYS[1], 'off_us', ARGV[2]) end\n"
            "return new\n",
};

/* KEYS: target. ARGV: percent. */
static struct redis_script tell_script = {
    .text = "local before = tonumber(redis.call('HGET', KEYS[1], 'told') or '0')\n"
            "if before >= tonumber(ARGV[1]) or redis.call('HEXISTS', KEYS[1], 'failing_us') == 0 then return -1 end\n"
            "redis.call('HSET', KEYS[1], 'told', ARGV[1])\n"
            "return before\n",
};

struct webhook_store {
    struct delivery_store kept;
    char *target;
};

struct webhook_store *webhook_store_new(struct redis *r, const char *target)
{
    struct webhook_store *s = xcalloc(1, sizeof *s);

    s->target = xstrdup(target);
    delivery_store_init(&s->kept, r, AREA, s->target);
    return s;
}

void webhook_store_free(struct webhook_store *s)
{
    if (!s)
        return;
    delivery_store_release(&s->kept);
    free(s->target);
    free(s);
}

struct delivery_store *webhook_store_kept(struct webhook_store *s)
{
    return &s->kept;
}

void webhook_id(const char *target, const struct event *e, char out[WEBHOOK_ID_BYTES])
{
    delivery_id("msg_", target, "", e, out);
}

/* -------------------------------------------------------------------------------------------------- deliveries */

bool webhook_store_add(struct webhook_store *s, const struct webhook_news *news, struct arena *arena,
                       struct delivery_added *out, struct error *err)
{
    struct delivery_order *orders = arena_zero(arena, (news->count + 1) * sizeof *orders);

    for (size_t i = 0; i < news->count; i++) {
        orders[i].event = news->events[i];
        orders[i].to = "";
        webhook_id(s->target, news->events[i], orders[i].id);
    }
    *out = (struct delivery_added){.kept = 0};
    return delivery_store_add(&s->kept, &(struct delivery_news){orders, news->count, news->now_us, news->most_waiting},
                              arena, out, err);
}

bool webhook_store_claim(struct webhook_store *s, int64_t now_us, int64_t hold_us, struct arena *arena,
                         struct delivery_claim *out, struct error *err)
{
    return delivery_store_claim(&s->kept, now_us, hold_us, arena, out, err);
}

bool webhook_store_settle(struct webhook_store *s, const struct delivery_claim *claim, const struct delivery_attempt *a,
                          struct arena *arena, int64_t *failing_since_us, struct error *err)
{
    return delivery_store_settle(&s->kept, claim, a, arena, failing_since_us, err);
}

bool webhook_store_attempts(struct webhook_store *s, size_t most, struct arena *arena, const struct reply **out,
                            struct error *err)
{
    return delivery_store_attempts(&s->kept, most, arena, out, err);
}

/* --------------------------------------------------------------------------------------------------- the target */

bool webhook_store_turn_off(struct webhook_store *s, const char *reason, int64_t now_us, bool *was, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok;

    redis_script_args(&off_script, &s->kept.args, 1);
    args_text(&s->kept.args, s->kept.target);
    args_text(&s->kept.args, reason);
    args_int(&s->kept.args, now_us);
    ok = redis_script_call(s->kept.redis, &off_script, &s->kept.args, arena, &reply, err);
    *was = ok && reply->integer == 0;
    arena_free(arena);
    return ok;
}

bool webhook_store_pause(struct webhook_store *s, int64_t now_us, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok =
        redis_do(s->kept.redis, arena, &reply, err, "HSETNX %s paused_us %lld", s->kept.target, (long long)now_us);

    arena_free(arena);
    return ok;
}

bool webhook_store_send_now(struct webhook_store *s, const char *id, int64_t now_us, bool *was, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = redis_do(s->kept.redis, arena, &reply, err, "ZADD %s XX CH %lld %s", s->kept.due, (long long)now_us, id);

    *was = ok && reply->integer > 0;
    arena_free(arena);
    return ok;
}

bool webhook_store_turn_on(struct webhook_store *s, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = redis_do(s->kept.redis, arena, &reply, err, "DEL %s", s->kept.target);

    arena_free(arena);
    return ok;
}

bool webhook_store_tell(struct webhook_store *s, int percent, int *before, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok;

    redis_script_args(&tell_script, &s->kept.args, 1);
    args_text(&s->kept.args, s->kept.target);
    args_int(&s->kept.args, percent);
    ok = redis_script_call(s->kept.redis, &tell_script, &s->kept.args, arena, &reply, err);
    *before = ok ? (int)reply->integer : -1;
    arena_free(arena);
    return ok;
}

bool webhook_store_told(struct webhook_store *s, int *percent, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = redis_do(s->kept.redis, arena, &reply, err, "HGET %s told", s->kept.target);

    *percent = ok && reply->kind == REPLY_TEXT ? atoi(reply->text) : 0;
    arena_free(arena);
    return ok;
}

static int64_t number_of(const struct reply *flat, const char *name)
{
    return strtoll(reply_field_text(flat, name), NULL, 10);
}

bool webhook_store_state(struct webhook_store *s, struct arena *arena, struct webhook_target_state *out,
                         struct error *err)
{
    const struct reply *target, *waiting, *first;

    if (!redis_do(s->kept.redis, arena, &target, err, "HGETALL %s", s->kept.target) ||
        !redis_do(s->kept.redis, arena, &waiting, err, "ZCARD %s", s->kept.due) ||
        !redis_do(s->kept.redis, arena, &first, err, "ZRANGE %s 0 0 WITHSCORES", s->kept.due))
        return false;
    *out = (struct webhook_target_state){
        .off = reply_field_text(target, "off"),
        .off_since_us = number_of(target, "off_us"),
        .paused_since_us = number_of(target, "paused_us"),
        .failing_since_us = number_of(target, "failing_us"),
        .waiting = waiting->integer,
        .next_us = first->count == 2 ? (int64_t)strtod(first->items[1].text, NULL) : 0,
    };
    return true;
}
