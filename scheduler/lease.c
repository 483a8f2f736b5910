#include "scheduler/lease.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"

/*
 * For how long before Redis lets the lease go we no longer count on it: a Redis that lost its last second in a power
 * cut (appendfsync everysec) has forgotten a renewal.
 */
enum { SAFETY_MS = 1000 };

/*
 * KEYS: the lease, its last token. ARGV: holder, the token it has (0: none), milliseconds.
 * A token is greater than the last one and than the milliseconds since 1970: it grows even over an emptied Redis.
 * One who has the name but not the token is somebody else.
 */
static struct redis_script renew_script = {
    .text = SCRIPT_ALLOW_OOM "local held = redis.call('GET', KEYS[1])\n"
                             "if held == ARGV[2] .. ' ' .. ARGV[1] then\n"
                             "  redis.call('PEXPIRE', KEYS[1], ARGV[3])\n"
                             "  return tonumber(ARGV[2])\n"
                             "end\n"
                             "if held then return 0 end\n"
                             "local last = tonumber(redis.call('GET', KEYS[2]) or '0')\n"
                             "local time = redis.call('TIME')\n"
                             "local token = math.max(last + 1, time[1] * 1000 + math.floor(time[2] / 1000))\n"
                             "local text = string.format('%.0f', token)\n"
                             "redis.call('SET', KEYS[2], text)\n"
                             "redis.call('SET', KEYS[1], text .. ' ' .. ARGV[1], 'PX', ARGV[3])\n"
                             "return token\n",
};

static struct redis_script release_script = {
    .text = "if redis.call('GET', KEYS[1]) == ARGV[2] .. ' ' .. ARGV[1] then redis.call('DEL', KEYS[1]) end\n"
            "return 0\n",
};

static bool run(struct redis_script *script, const struct lease *l, struct redis *r, int64_t *token, struct error *err)
{
    struct buf lease_key = BUF_INIT, token_key = BUF_INIT;
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    const struct reply *reply;
    bool ok;

    buf_printf(&lease_key, "crier:{lease:%s}:holder", l->name); /* the braces: both in one slot of a Redis Cluster */
    buf_printf(&token_key, "crier:{lease:%s}:token", l->name);
    redis_script_args(script, &args, 2);
    args_bytes(&args, lease_key.data, lease_key.length);
    args_bytes(&args, token_key.data, token_key.length);
    args_text(&args, l->holder);
    args_int(&args, l->token);
    args_int(&args, LEASE_MS);
    ok = redis_script_call(r, script, &args, arena, &reply, err);
    if (ok)
        *token = reply->integer;
    args_release(&args);
    arena_free(arena);
    buf_release(&token_key);
    buf_release(&lease_key);
    return ok;
}

bool lease_renew(struct lease *l, struct redis *r, struct error *err)
{
    int64_t asked_ms = clock_monotonic_ms(); /* before Redis starts its time, so that ours ends first */

    if (!run(&renew_script, l, r, &l->token, err))
        return false;
    l->sure_until_ms = l->token ? asked_ms + LEASE_MS - SAFETY_MS : 0;
    return true;
}

bool lease_held(const struct lease *l)
{
    return l->token != 0 && clock_monotonic_ms() < l->sure_until_ms;
}

bool lease_is_taken(struct redis *r, const char *name, bool *taken, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = redis_do(r, arena, &reply, err, "EXISTS crier:{lease:%s}:holder", name);

    *taken = ok && reply->integer == 1;
    arena_free(arena);
    return ok;
}

bool lease_release(struct lease *l, struct redis *r, struct error *err)
{
    struct lease given = *l;
    int64_t none;

    l->token = 0;
    l->sure_until_ms = 0;
    return given.token == 0 || run(&release_script, &given, r, &none, err);
}
