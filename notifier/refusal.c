#include "notifier/refusal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "notifier/event.h"
#include "notifier/pattern.h"
#include "notifier/stream.h"

#define DIGEST_MEMBER ",\"refused_digest\":\"%s\"}" /* the last of the data, and the event's id */

/* KEYS: what was seen, the dead letters. ARGV: the window in ms, then the letter's words. */
static struct redis_script bury = {
    .text = SCRIPT_ALLOW_OOM "if not redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[1]) then return 0 end\n"
                             "redis.call('XADD', KEYS[2], '*', unpack(ARGV, 2))\n"
                             "return 1\n",
};

static void add_event(const struct refusal *refusal, const char *now, struct arena *arena, struct args *args)
{
    struct event e = event_none;

    e.id = span_of(refusal->digest);
    e.unique = e.id;
    e.source = span_of(refusal->source);
    e.type = span_of(refusal->type);
    e.time = span_of(now);
    e.data = span_of(arena_printf(arena, "{\"refused_bytes\":%zu" DIGEST_MEMBER, refusal->length, refusal->digest));
    event_add_fields(&e, args);
}

static void add_word(struct args *args, const char *name, const char *value)
{
    args_text(args, name);
    args_text(args, value);
}

bool refusal_bury(const struct settings *s, struct redis *r, const struct refusal *refusal, struct error *err)
{
    const struct queue_settings *q = refusal->queue ? refusal->queue : patterns_queue(s, refusal->type);
    struct arena *arena;
    struct args args = ARGS_INIT;
    char key[KEY_BYTES], now[TIME_TEXT_BYTES];
    const struct reply *reply;
    bool ok;

    if (!q)
        return true;
    arena = arena_new();
    time_text(clock_wall_us(), now);
    redis_script_args(&bury, &args, 2);
    args_text(&args, arena_printf(arena, "%srefused:%s", queue_key(q->name, "seen:", key), refusal->digest));
    args_text(&args, arena_text(arena, queue_key(q->name, "dead", key)));
    args_int(&args, q->window_ms);
    add_event(refusal, now, arena, &args);
    add_word(&args, "handler", refusal->door);
    add_word(&args, "reason", refusal->reason);
    add_word(&args, "reply", "");
    add_word(&args, "tries", "1");
    add_word(&args, "died", now);
    ok = redis_script_call(r, &bury, &args, arena, &reply, err);
    args_release(&args);
    arena_free(arena);
    return ok;
}

bool refusal_is(const struct dead_letter *letter)
{
    char member[100];
    struct span data = letter->event.data;
    size_t length = (size_t)snprintf(member, sizeof member, DIGEST_MEMBER, letter->event.id.text);

    return length < sizeof member && data.length > length && text_starts(data.text, "{\"refused_bytes\":") &&
           memcmp(data.text + data.length - length, member, length) == 0;
}
