#include "handlers/dirty.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "notifier/stream.h"

enum {
    CHUNK_MARKS = 500,     /* in one call of a script: Redis serves nobody else meanwhile */
    PIPELINE_MARKS = 20000 /* sent before the first reply is read */
};

/*
 * KEYS: the marks, their last number. ARGV: members. Numbers are not below the microseconds since 1970, so that they
 * grow even over an emptied Redis, whose marks a page taken before must not settle. Marking leads to events being
 * acknowledged and trimmed, so it must go through when memory is short.
 */
static struct redis_script mark_script = {
    .text = SCRIPT_ALLOW_OOM "local time = redis.call('TIME')\n"
                             "local last = tonumber(redis.call('GET', KEYS[2]) or '0')\n"
                             "last = math.max(last, time[1] * 1000000 + time[2])\n"
                             "redis.call('SET', KEYS[2], string.format('%.0f', last + #ARGV))\n"
                             "for i = 1, #ARGV do\n"
                             "  redis.call('ZADD', KEYS[1], string.format('%.0f', last + i), ARGV[i])\n"
                             "end\n"
                             "return #ARGV\n",
};

/* KEYS: as above. ARGV: member, number, member, number ... */
static struct redis_script settle_script = {
    .text = SCRIPT_ALLOW_OOM "local settled = 0\n"
                             "for i = 1, #ARGV, 2 do\n"
                             "  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])\n"
                             "  if score and tonumber(score) == tonumber(ARGV[i + 1]) then\n"
                             "    settled = settled + redis.call('ZREM', KEYS[1], ARGV[i])\n"
                             "  end\n"
                             "end\n"
                             "return settled\n",
};

/* What one call of a script is about. */
struct job {
    struct redis *redis;
    struct redis_script *script;
    struct arena *arena;
    struct args args;
    char marks_key[KEY_BYTES], number_key[KEY_BYTES];
    bool with_numbers;
};

static bool send_chunk(struct job *j, const struct dirty_mark *marks, size_t count, struct error *err)
{
    redis_script_args(j->script, &j->args, 2);
    args_text(&j->args, j->marks_key);
    args_text(&j->args, j->number_key);
    for (size_t i = 0; i < count; i++) {
        const struct dirty_mark *m = &marks[i];

        args_text(&j->args, arena_printf(j->arena, "%lld %.*s", (long long)(m->interval_us / US_PER_SECOND),
                                         (int)m->key.length, m->key.text));
        if (j->with_numbers)
            args_int(&j->args, m->number);
    }
    return redis_append(j->redis, &j->args, err);
}

/* Sends all, then reads as many replies. Where Redis does not know the script, *again says so. */
static bool pipeline(struct job *j, const struct dirty_mark *marks, size_t count, bool *again, struct error *err)
{
    const struct reply *reply;
    bool ok = true;

    *again = false;
    arena_reset(j->arena);
    for (size_t at = 0; at < count; at += CHUNK_MARKS)
        if (!send_chunk(j, marks + at, count - at < CHUNK_MARKS ? count - at : CHUNK_MARKS, err))
            return false;
    for (size_t at = 0; at < count; at += CHUNK_MARKS) {
        if (!redis_next(j->redis, j->arena, &reply, err))
            return false;
        if (reply_error_is(reply, "NOSCRIPT"))
            *again = true;
        else
            ok = reply_ok(reply, err) && ok;
    }
    return ok;
}

static bool run(struct redis *r, struct redis_script *script, bool with_numbers, const char *queue, const char *handler,
                const struct dirty_mark *marks, size_t count, struct error *err)
{
    struct job j = {
        .redis = r, .script = script, .arena = arena_new(), .args = ARGS_INIT, .with_numbers = with_numbers};
    bool ok = true, again;

    handler_key(queue, "dirty", handler, j.marks_key);
    handler_key(queue, "dirty-number", handler, j.number_key);
    for (size_t at = 0; ok && at < count; at += PIPELINE_MARKS) {
        size_t part = count - at < PIPELINE_MARKS ? count - at : PIPELINE_MARKS;

        ok = pipeline(&j, marks + at, part, &again, err);
        if (ok && again)
            ok = redis_script_load(r, script, err) && pipeline(&j, marks + at, part, &again, err) &&
                 (!again || error_set(err, ERROR_AGAIN, "Redis forgets its scripts at once"));
    }
    if (!ok) {
        redis_drop(r); /* replies may be under way, or the server be no longer the master */
        error_in(err, "marks of %s", handler);
    }
    args_release(&j.args);
    arena_free(j.arena);
    return ok;
}

bool dirty_mark(struct redis *r, const char *queue, const char *handler, const struct dirty_mark *marks, size_t count,
                struct error *err)
{
    return run(r, &mark_script, false, queue, handler, marks, count, err);
}

bool dirty_settle(struct redis *r, const char *queue, const char *handler, const struct dirty_mark *marks, size_t count,
                  struct error *err)
{
    return run(r, &settle_script, true, queue, handler, marks, count, err);
}

static struct dirty_mark read_mark(const struct reply *member, const struct reply *score)
{
    char *key;
    long long seconds = strtoll(member->text, &key, 10);

    if (*key == ' ')
        key++;
    return (struct dirty_mark){
        .key = {key, member->length - (size_t)(key - member->text)},
        .interval_us = seconds * US_PER_SECOND,
        .number = (int64_t)strtod(score->text, NULL)
    };
}

bool dirty_page(struct redis *r, const char *queue, const char *handler, size_t most, struct arena *arena,
                struct dirty_mark **marks, size_t *count, struct error *err)
{
    const struct reply *reply;
    char key[KEY_BYTES];

    *marks = NULL;
    *count = 0;
    if (most == 0)
        return true;
    if (!redis_do(r, arena, &reply, err, "ZRANGE %s 0 %lld WITHSCORES", handler_key(queue, "dirty", handler, key),
                  (long long)most - 1))
        return error_in(err, "marks of %s", handler);
    *marks = arena_alloc(arena, (reply->count / 2 + 1) * sizeof **marks);
    for (size_t i = 0; i + 1 < reply->count; i += 2)
        (*marks)[(*count)++] = read_mark(&reply->items[i], &reply->items[i + 1]);
    return true;
}

bool dirty_count(struct redis *r, const char *queue, const char *handler, int64_t *count, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    char key[KEY_BYTES];
    bool ok = redis_do(r, arena, &reply, err, "ZCARD %s", handler_key(queue, "dirty", handler, key)) ||
              error_in(err, "marks of %s", handler);

    *count = ok ? reply->integer : 0;
    arena_free(arena);
    return ok;
}
