#include "handlers/replay/replay_position.h"

#include "base/text.h"
#include "notifier/stream.h"

#define KEPT_MS "2592000000" /* 30 days */

/* KEYS: the position. ARGV: path, line, how long it is kept. */
static struct redis_script note = {
    .text = "redis.call('HSET', KEYS[1], 'path', ARGV[1], 'line', ARGV[2])\n"
            "return redis.call('PEXPIRE', KEYS[1], ARGV[3])\n",
};

static const char *key_of(const char *id, char out[KEY_BYTES])
{
    return queue_key("replay", id, out);
}

bool replay_position_read(struct redis *r, const char *id, struct arena *arena, struct replay_position *out,
                          struct error *err)
{
    char key[KEY_BYTES];
    const struct reply *reply;
    struct span line;

    if (!redis_do(r, arena, &reply, err, "HGETALL %s", key_of(id, key)))
        return false;
    *out = (struct replay_position){.path = reply_field_text(reply, "path")};
    line = span_of(reply_field_text(reply, "line"));
    return !*out->path || text_int(line.text, line.length, &out->line) ||
           error_set(err, ERROR_INPUT, "the position that was noted cannot be read");
}

bool replay_position_note(struct redis *r, const char *id, const char *path, int64_t line, struct error *err)
{
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    char key[KEY_BYTES];
    const struct reply *reply;
    bool ok;

    redis_script_args(&note, &args, 1);
    args_text(&args, key_of(id, key));
    args_text(&args, path);
    args_int(&args, line);
    args_text(&args, KEPT_MS);
    ok = redis_script_call(r, &note, &args, arena, &reply, err);
    args_release(&args);
    arena_free(arena);
    return ok;
}

bool replay_position_forget(struct redis *r, const char *id, struct error *err)
{
    struct arena *arena = arena_new();
    char key[KEY_BYTES];
    const struct reply *reply;
    bool ok = redis_do(r, arena, &reply, err, "DEL %s", key_of(id, key));

    arena_free(arena);
    return ok;
}
