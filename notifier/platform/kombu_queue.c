#include "notifier/platform/kombu_queue.h"

#include <string.h>

#include "base/hash.h"

enum {
    PEEK_BYTES = 8 * 1024 * 1024, /* of one look, but always one message */
    SLACK = 200,                  /* so far from the place where it was seen a message is looked for first */
};

#define SEPARATOR "\x06\x16"

static const int steps[KOMBU_PRIORITIES] = {0, 3, 6, 9};

/*
 * KEYS: the list. ARGV: how many to leave out, how many, how many bytes altogether, the longest message. Replies the
 * list's length, then the messages from the oldest; one too long is [its length, its SHA-1]. Neither script uses what
 * only a newer Redis knows: it is the platform's.
 */
static struct redis_script peek = {
    .text = "local passed = tonumber(ARGV[1])\n"
            "local tail = redis.call('LRANGE', KEYS[1], -passed - tonumber(ARGV[2]), -passed - 1)\n"
            "local out, room = {redis.call('LLEN', KEYS[1])}, tonumber(ARGV[3])\n"
            "for i = #tail, 1, -1 do\n"
            "  local message = tail[i]\n"
            "  if #message > tonumber(ARGV[4]) then\n"
            "    message = {#message, redis.sha1hex(message)}\n"
            "  else\n"
            "    room = room - #message\n"
            "    if room < 0 and #out > 1 then break end\n"
            "  end\n"
            "  out[#out + 1] = message\n"
            "end\n"
            "return out\n",
};

/*
 * KEYS: the list. ARGV: how many to leave out and how many to look through, then the SHA-1 of each that is to go. From
 * the oldest on, so that each one found is the last of the list, or behind those that are others'; where one is not
 * found, also among those left out. LREM also works when memory is full.
 */
static struct redis_script take_off = {
    .text = "local wanted, left, gone = {}, #ARGV - 2, 0\n"
            "for i = 3, #ARGV do wanted[ARGV[i]] = (wanted[ARGV[i]] or 0) + 1 end\n"
            "local function look(passed, count)\n"
            "  local tail = redis.call('LRANGE', KEYS[1], -passed - count, -passed - 1)\n"
            "  for i = #tail, 1, -1 do\n"
            "    if left == 0 then break end\n"
            "    local sha = redis.sha1hex(tail[i])\n"
            "    if (wanted[sha] or 0) > 0 then\n"
            "      wanted[sha], left = wanted[sha] - 1, left - 1\n"
            "      gone = gone + redis.call('LREM', KEYS[1], -1, tail[i])\n"
            "    end\n"
            "  end\n"
            "end\n"
            "local passed = tonumber(ARGV[1])\n"
            "look(passed, tonumber(ARGV[2]))\n"
            "if left > 0 and passed > 0 then look(0, passed) end\n"
            "return gone\n",
};

const char *kombu_list(const char *queue, int priority, struct arena *arena)
{
    int step = steps[priority];

    return step ? arena_printf(arena, "%s" SEPARATOR "%d", queue, step) : arena_text(arena, queue);
}

/* Newer versions keep the entries only as long as a second set says so; older ones know nothing of it. */
bool kombu_bind(struct redis *r, const char *exchange, const char *queue, struct error *err)
{
    static const char *const tables[] = {"_kombu.binding.", "_kombu.binding_permanent."};
    struct arena *arena = arena_new();
    const struct reply *reply;
    const char *entry = arena_printf(arena, "%s" SEPARATOR SEPARATOR "%s", queue, queue);
    bool ok = true;

    for (size_t i = 0; ok && i < ARRAY_LENGTH(tables); i++)
        ok = redis_do(r, arena, &reply, err, "SADD %s%s %s", tables[i], exchange, entry);
    arena_free(arena);
    return ok;
}

/* False: no reply as the script gives it. */
static bool read_waiting(const struct reply *reply, struct raw_hash *sha1, struct kombu_waiting *out)
{
    char text[RAW_HASH_TEXT_BYTES];

    if (reply->kind == REPLY_TEXT) {
        out->bytes = reply->text;
        out->length = reply->length;
        raw_hash_start(sha1);
        raw_hash_add(sha1, reply->text, reply->length);
        raw_hash_end(sha1, text);
        memcpy(out->sha, text, KOMBU_SHA_BYTES);
        return true;
    }
    if (reply->kind != REPLY_ARRAY || reply->count != 2 || reply->items[1].length != KOMBU_SHA_BYTES - 1)
        return false;
    out->bytes = NULL;
    out->length = (size_t)reply->items[0].integer;
    memcpy(out->sha, reply->items[1].text, KOMBU_SHA_BYTES);
    return true;
}

static bool read_all(const struct reply *reply, size_t passed, struct kombu_waiting *out)
{
    struct raw_hash *sha1 = raw_hash_new("SHA1");
    bool ok = true;

    for (size_t i = 1; ok && i < reply->count; i++) {
        ok = read_waiting(&reply->items[i], sha1, &out[i - 1]);
        out[i - 1].place = passed + i - 1;
    }
    raw_hash_free(sha1);
    return ok;
}

bool kombu_peek(struct redis *r, const char *list, const struct kombu_look *look, struct arena *arena,
                struct kombu_waiting **out, size_t *count, bool *more, struct error *err)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    bool ok;

    *count = 0;
    redis_script_args(&peek, &args, 1);
    args_text(&args, list);
    args_int(&args, (int64_t)look->passed);
    args_int(&args, (int64_t)look->most);
    args_int(&args, PEEK_BYTES);
    args_int(&args, look->bytes_most);
    ok = redis_script_call(r, &peek, &args, arena, &reply, err);
    args_release(&args);
    if (!ok)
        return false;
    *out = arena_zero(arena, (reply->count + 1) * sizeof **out);
    if (reply->count == 0 || !read_all(reply, look->passed, *out))
        return error_set(err, ERROR_AGAIN, "Redis gave an unexpected reply");
    *count = reply->count - 1;
    *more = (size_t)reply->items[0].integer > look->passed + *count;
    return true;
}

/* Which of the list hold the messages, unless much came or went. */
static void find_place(const struct kombu_waiting *const *messages, size_t count, size_t *passed, size_t *most)
{
    size_t first = messages[0]->place, last = first;

    for (size_t i = 1; i < count; i++) {
        first = messages[i]->place < first ? messages[i]->place : first;
        last = messages[i]->place > last ? messages[i]->place : last;
    }
    *passed = first > SLACK ? first - SLACK : 0;
    *most = last + 1 + SLACK - *passed;
}

bool kombu_remove(struct redis *r, const char *list, const struct kombu_waiting *const *messages, size_t count,
                  struct error *err)
{
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    const struct reply *reply;
    size_t passed, most;
    bool ok;

    find_place(messages, count, &passed, &most);
    redis_script_args(&take_off, &args, 1);
    args_text(&args, list);
    args_int(&args, (int64_t)passed);
    args_int(&args, (int64_t)most);
    for (size_t i = 0; i < count; i++)
        args_bytes(&args, messages[i]->sha, KOMBU_SHA_BYTES - 1);
    ok = redis_script_call(r, &take_off, &args, arena, &reply, err);
    args_release(&args);
    arena_free(arena);
    return ok;
}
