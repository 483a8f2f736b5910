#include "handlers/tombstone.h"

#include <string.h>

#include "notifier/stream.h"

enum { CHUNK = 500 /* in one call of a script: Redis serves nobody else meanwhile */ };

/* "5", or "5?" where it is silent. Versions are beyond what a number of Lua holds exactly: compared as they are
 * written. */
#define LESS                                                                                                           \
    "local function less(a, b)\n"                                                                                      \
    "  local x, y = a:match('%d+'), b:match('%d+')\n"                                                                  \
    "  if #x ~= #y then return #x < #y end\n"                                                                          \
    "  if x ~= y then return x < y end\n"                                                                              \
    "  return #a > #b\n"                                                                                               \
    "end\n"

/*
 * KEYS: tombstones. ARGV: how long they are kept, then a version each. Raising leads to events being acknowledged and
 * trimmed, so it must go through when memory is short.
 */
static struct redis_script raise_script = {
    .text = SCRIPT_ALLOW_OOM LESS "local out = {}\n"
                                  "for i = 1, #KEYS do\n"
                                  "  local there = redis.call('GET', KEYS[i])\n"
                                  "  local version = ARGV[i + 1]\n"
                                  "  if there and less(version, there) then version = there end\n"
                                  "  redis.call('SET', KEYS[i], version, 'PX', ARGV[1])\n"
                                  "  out[i] = version\n"
                                  "end\n"
                                  "return out\n",
};

/* KEYS: tombstones. ARGV: a version each. */
static struct redis_script remove_script = {
    .text = SCRIPT_ALLOW_OOM LESS "local removed = 0\n"
                                  "for i = 1, #KEYS do\n"
                                  "  local there = redis.call('GET', KEYS[i])\n"
                                  "  if there and less(there, ARGV[i]) then\n"
                                  "    removed = removed + redis.call('DEL', KEYS[i])\n"
                                  "  end\n"
                                  "end\n"
                                  "return removed\n",
};

/* "crier:{queue}:tombstone:index/id"; no index has a slash in its name. */
static void add_key(struct args *args, const char *queue, const struct tombstone *t, struct arena *arena)
{
    char beginning[KEY_BYTES];
    size_t length, index_length = strlen(t->index);
    char *key;

    queue_key(queue, "tombstone", beginning);
    length = strlen(beginning);
    key = arena_alloc(arena, length + index_length + t->id.length + 2);
    memcpy(key, beginning, length);
    key[length++] = ':';
    memcpy(key + length, t->index, index_length);
    length += index_length;
    key[length++] = '/';
    memcpy(key + length, t->id.text, t->id.length);
    args_bytes(args, key, length + t->id.length);
}

static void add_keys(struct args *args, const char *queue, const struct tombstone *items, size_t count,
                     struct arena *arena)
{
    for (size_t i = 0; i < count; i++)
        add_key(args, queue, &items[i], arena);
}

static void add_value(struct args *args, const struct tombstone *t, struct arena *arena)
{
    args_text(args, arena_printf(arena, "%lld%s", (long long)t->version, t->silent ? "?" : ""));
}

static void take_value(const struct reply *value, struct tombstone *t)
{
    size_t length = value->length;

    t->silent = length > 0 && value->text[length - 1] == '?';
    if (!text_int(value->text, length - t->silent, &t->version))
        *t = (struct tombstone){t->index, t->id, TOMBSTONE_NONE, false};
}

/* Puts in the versions of a reply; one that is none stands for no tombstone. */
static bool take_versions(const struct reply *reply, struct tombstone *items, size_t count, struct error *err)
{
    if (reply->count != count)
        return error_set(err, ERROR_AGAIN, "Redis answers for other keys");
    for (size_t i = 0; i < count; i++)
        take_value(&reply->items[i], &items[i]);
    return true;
}

static bool read_chunk(struct redis *r, const char *queue, struct tombstone *items, size_t count, struct arena *arena,
                       struct args *args, struct error *err)
{
    const struct reply *reply;

    args_reset(args);
    args_text(args, "MGET");
    add_keys(args, queue, items, count, arena);
    return redis_call(r, args, arena, &reply, err) && reply_ok(reply, err) && take_versions(reply, items, count, err);
}

bool tombstones_read(struct redis *r, const char *queue, struct tombstone *items, size_t count, struct arena *arena,
                     struct error *err)
{
    struct args args = ARGS_INIT;
    bool ok = true;

    for (size_t at = 0; ok && at < count; at += CHUNK)
        ok = read_chunk(r, queue, items + at, count - at < CHUNK ? count - at : CHUNK, arena, &args, err);
    args_release(&args);
    return ok || error_in(err, "tombstones");
}

static bool raise_chunk(struct redis *r, const char *queue, struct tombstone *items, size_t count, int64_t keep_ms,
                        struct arena *arena, struct args *args, struct error *err)
{
    const struct reply *reply;

    redis_script_args(&raise_script, args, (int)count);
    add_keys(args, queue, items, count, arena);
    args_int(args, keep_ms);
    for (size_t i = 0; i < count; i++)
        add_value(args, &items[i], arena);
    return redis_script_call(r, &raise_script, args, arena, &reply, err) && take_versions(reply, items, count, err);
}

bool tombstones_raise(struct redis *r, const char *queue, struct tombstone *items, size_t count, int64_t keep_ms,
                      struct arena *arena, struct error *err)
{
    struct args args = ARGS_INIT;
    bool ok = true;

    for (size_t at = 0; ok && at < count; at += CHUNK)
        ok = raise_chunk(r, queue, items + at, count - at < CHUNK ? count - at : CHUNK, keep_ms, arena, &args, err);
    args_release(&args);
    return ok || error_in(err, "tombstones");
}

bool tombstones_remove(struct redis *r, const char *queue, const struct tombstone *items, size_t count,
                       struct arena *arena, struct error *err)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    bool ok = true;

    for (size_t at = 0; ok && at < count; at += CHUNK) {
        size_t size = count - at < CHUNK ? count - at : CHUNK;

        redis_script_args(&remove_script, &args, (int)size);
        add_keys(&args, queue, items + at, size, arena);
        for (size_t i = 0; i < size; i++)
            add_value(&args, &items[at + i], arena);
        ok = redis_script_call(r, &remove_script, &args, arena, &reply, err);
    }
    args_release(&args);
    return ok || error_in(err, "tombstones");
}
