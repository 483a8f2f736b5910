/* A queue's streams as a whole: what their groups have left to do, and trimming what all of them have done. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "notifier/stream.h"

enum { TRIM_CALLS_MOST = 200, TRIM_WORTH_ANOTHER = 1000 };

/*
 * KEYS: the stream, its fence. ARGV: the leader's token, the id below which entries are old enough, the groups there
 * must be. Trims, by whole nodes, below the smallest of that id, each group's first pending entry and the one after its
 * last delivered. A stream nobody reads is not trimmed at all. Replies how many were removed, -1 for a leader that was
 * replaced.
 */
static struct redis_script trim_done = {
    .text = SCRIPT_ALLOW_OOM "local fence = tonumber(redis.call('GET', KEYS[2]) or '0')\n"
                             "if tonumber(ARGV[1]) < fence then return -1 end\n"
                             "redis.call('SET', KEYS[2], ARGV[1])\n"
                             "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end\n"
                             "local function parts(id)\n"
                             "  local ms, seq = string.match(id, '(%d+)-(%d+)')\n"
                             "  return tonumber(ms), tonumber(seq)\n"
                             "end\n"
                             "local missing = {}\n"
                             "for name in string.gmatch(ARGV[3], '%S+') do missing[name] = true end\n"
                             "local ms, seq = parts(ARGV[2])\n"
                             "local groups = redis.call('XINFO', 'GROUPS', KEYS[1])\n"
                             "if #groups == 0 then return 0 end\n"
                             "for _, flat in ipairs(groups) do\n"
                             "  local group = {}\n"
                             "  for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end\n"
                             "  missing[group['name']] = nil\n"
                             "  local m, s\n"
                             "  if group['pending'] > 0 then\n"
                             "    m, s = parts(redis.call('XPENDING', KEYS[1], group['name'])[2])\n"
                             "  else\n"
                             "    m, s = parts(group['last-delivered-id'])\n"
                             "    s = s + 1\n"
                             "  end\n"
                             "  if m < ms or (m == ms and s < seq) then ms, seq = m, s end\n"
                             "end\n"
                             "if next(missing) then return 0 end\n"
                             "return redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f-%.0f', ms, seq))\n",
};

static void trim_args(struct args *args, struct arena *arena, const char *queue, enum stream_place place,
                      const char *groups, int64_t retain_ms, int64_t fence)
{
    char key[KEY_BYTES];
    int64_t old_ms = clock_wall_us() / 1000 - retain_ms;

    redis_script_args(&trim_done, args, 2);
    args_text(args, arena_text(arena, stream_key(queue, place, key)));
    args_text(args, arena_text(arena, queue_key(queue, "fence", key)));
    args_int(args, fence);
    args_text(args, arena_printf(arena, "%lld-0", (long long)(old_ms > 0 ? old_ms : 0)));
    args_text(args, groups);
}

static bool trim_stream(struct redis *r, const char *queue, enum stream_place place, const char *groups,
                        int64_t retain_ms, int64_t fence, int64_t *trimmed, struct error *err)
{
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    const struct reply *reply;
    bool ok = true, more = true;

    for (int i = 0; ok && more && i < TRIM_CALLS_MOST; i++) { /* one call blocks Redis for a few ms at most */
        arena_reset(arena);
        trim_args(&args, arena, queue, place, groups, retain_ms, fence);
        ok = redis_script_call(r, &trim_done, &args, arena, &reply, err);
        if (ok && reply->integer < 0)
            ok = error_set(err, ERROR_AGAIN, "another process leads by now");
        more = ok && reply->integer >= TRIM_WORTH_ANOTHER;
        *trimmed += ok ? reply->integer : 0;
    }
    args_release(&args);
    arena_free(arena);
    return ok;
}

bool stream_trim(struct redis *r, const char *queue, const char *groups, int64_t retain_ms, int64_t fence,
                 int64_t *trimmed, struct error *err)
{
    *trimmed = 0;
    return trim_stream(r, queue, STREAM_TAIL, groups, retain_ms, fence, trimmed, err) &&
           trim_stream(r, queue, STREAM_HEAD, groups, retain_ms, fence, trimmed, err);
}

/* -------------------------------------------------------------------------------------------------- the state */

static int64_t age_ms(const char *id)
{
    int64_t age = clock_wall_us() / 1000 - (int64_t)strtoull(id, NULL, 10);

    return age > 0 ? age : 0;
}

/* What Redis calls the lag; where it cannot tell, the entries after the last delivered one are asked for. */
static bool group_waiting(struct redis *r, const char *key, const struct reply *flat, struct arena *arena,
                          struct group_state *g, int64_t length, struct error *err)
{
    const struct reply *lag = reply_field(flat, "lag"), *next;
    const char *after;

    g->waiting = lag && lag->kind == REPLY_INTEGER ? lag->integer : -1;
    if (g->waiting == 0)
        return true;
    after = arena_printf(arena, "(%s", reply_field_text(flat, "last-delivered-id"));
    if (!redis_do(r, arena, &next, err, "XRANGE %s %s + COUNT 1", key, after))
        return false;
    if (next->count == 0)
        g->waiting = 0;
    else if (g->waiting < 0)
        g->waiting = length;
    if (next->count == 1 && g->pending == 0)
        g->oldest_ms = age_ms(next->items[0].items[0].text);
    return true;
}

static bool read_group(struct redis *r, const char *key, const struct reply *flat, struct arena *arena,
                       struct group_state *g, int64_t length, struct error *err)
{
    const struct reply *pending;

    g->name = reply_field_text(flat, "name");
    g->pending = reply_field_int(flat, "pending");
    g->consumers = reply_field_int(flat, "consumers");
    if (g->pending > 0) {
        if (!redis_do(r, arena, &pending, err, "XPENDING %s %s", key, g->name))
            return false;
        if (pending->count > 1 && pending->items[1].text)
            g->oldest_ms = age_ms(pending->items[1].text);
    }
    return group_waiting(r, key, flat, arena, g, length, err);
}

/* The group of that name among those counted so far; a new one where there is none. */
static struct group_state *group_named(struct queue_state *q, const char *name)
{
    for (size_t i = 0; i < q->group_count; i++)
        if (strcmp(q->groups[i].name, name) == 0)
            return &q->groups[i];
    q->groups[q->group_count].name = name;
    return &q->groups[q->group_count++];
}

static void add_group(struct queue_state *q, const struct group_state *one)
{
    struct group_state *g = group_named(q, one->name);

    g->waiting += one->waiting;
    g->pending += one->pending;
    g->consumers += one->consumers;
    if (one->oldest_ms > g->oldest_ms)
        g->oldest_ms = one->oldest_ms;
}

/* One of a queue's streams. */
struct stream_groups {
    char key[KEY_BYTES];
    int64_t length;
    const struct reply *groups; /* NULL: there is no such stream */
};

static bool read_stream(struct redis *r, const char *queue, enum stream_place place, struct arena *arena,
                        struct stream_groups *out, struct error *err)
{
    const struct reply *reply;

    stream_key(queue, place, out->key);
    if (!redis_do(r, arena, &reply, err, "XLEN %s", out->key))
        return false;
    out->length = reply->integer;
    if (!redis_do(r, arena, &reply, err, "EXISTS %s", out->key))
        return false;
    return reply->integer == 0 || redis_do(r, arena, &out->groups, err, "XINFO GROUPS %s", out->key);
}

static bool has_group(const struct stream_groups *s, const char *name)
{
    for (size_t i = 0; s->groups && i < s->groups->count; i++)
        if (strcmp(reply_field_text(&s->groups->items[i], "name"), name) == 0)
            return true;
    return false;
}

/* A group that one of the streams does not have yet has all of it to do. */
static void add_missing(struct queue_state *q, const struct stream_groups *s)
{
    for (size_t i = 0; i < q->group_count; i++)
        if (!has_group(s, q->groups[i].name))
            q->groups[i].waiting += s->length;
}

static bool add_groups(struct redis *r, const struct stream_groups *s, struct arena *arena, struct queue_state *q,
                       struct error *err)
{
    for (size_t i = 0; s->groups && i < s->groups->count; i++) {
        struct group_state one = {0};

        if (!read_group(r, s->key, &s->groups->items[i], arena, &one, s->length, err))
            return false;
        add_group(q, &one);
    }
    return true;
}

bool stream_state(struct redis *r, const char *queue, struct arena *arena, struct queue_state *out, struct error *err)
{
    struct stream_groups streams[STREAM_PLACES] = {0};
    const struct reply *reply;
    char dead[KEY_BYTES];
    size_t most = 0;

    *out = (struct queue_state){0};
    if (!redis_do(r, arena, &reply, err, "XLEN %s", queue_key(queue, "dead", dead)))
        return false;
    out->dead = reply->integer;
    for (int i = 0; i < STREAM_PLACES; i++) {
        if (!read_stream(r, queue, (enum stream_place)i, arena, &streams[i], err))
            return false;
        out->length += streams[i].length;
        most += streams[i].groups ? streams[i].groups->count : 0;
    }
    out->groups = arena_zero(arena, (most + 1) * sizeof *out->groups);
    for (int i = 0; i < STREAM_PLACES; i++)
        if (!add_groups(r, &streams[i], arena, out, err))
            return false;
    for (int i = 0; i < STREAM_PLACES; i++)
        add_missing(out, &streams[i]);
    return true;
}

bool stream_forget(struct redis *r, const char *queue, const char *group, struct error *err)
{
    struct arena *arena = arena_new();
    bool ok = true;

    for (int i = 0; ok && i < STREAM_PLACES; i++) {
        struct stream_groups s = {0};

        ok = read_stream(r, queue, (enum stream_place)i, arena, &s, err) &&
             (!has_group(&s, group) || redis_do(r, arena, NULL, err, "XGROUP DESTROY %s %s", s.key, group));
    }
    arena_free(arena);
    return ok;
}
