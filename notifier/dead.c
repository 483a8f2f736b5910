#include "notifier/dead.h"

#include <string.h>

#include "base/clock.h"

/*
 * KEYS: the stream, the dead letters. ARGV: group, entry id, then the letter's words. Only what is still pending is
 * buried, so that a repeated call makes no second letter; the letter is there before the entry is acknowledged.
 */
static struct redis_script bury = {
    .text =
        SCRIPT_ALLOW_OOM "if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return 0 end\n"
                         "redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))\n"
                         "return redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])\n",
};

/* KEYS: the dead letters. ARGV: the letter's words. It is to be there also where memory ran out. */
static struct redis_script add = {
    .text = SCRIPT_ALLOW_OOM "return redis.call('XADD', KEYS[1], '*', unpack(ARGV))\n",
};

/* KEYS: the stream, the dead letters. ARGV: letter id, then the entry's words. */
static struct redis_script revive = {
    .text = "if #redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1]) == 0 then return 0 end\n"
            "redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))\n"
            "return redis.call('XDEL', KEYS[2], ARGV[1])\n",
};

static void script_keys(struct redis_script *script, struct args *args, struct arena *arena, const char *queue,
                        enum stream_place place)
{
    char key[KEY_BYTES];

    redis_script_args(script, args, 2);
    args_text(args, arena_text(arena, stream_key(queue, place, key)));
    args_text(args, arena_text(arena, queue_key(queue, "dead", key)));
}

static void add_word(struct args *args, const char *name, const char *value)
{
    args_text(args, name);
    args_text(args, value ? value : "");
}

static void add_letter(struct args *args, struct arena *arena, const char *handler, const struct delivery *d)
{
    char now[TIME_TEXT_BYTES];

    event_add_fields(&d->event, args);
    add_word(args, "handler", handler);
    add_word(args, "reason", d->reason);
    add_word(args, "reply", d->reply);
    args_text(args, "tries");
    args_int(args, d->tries + 1);
    add_word(args, "died", arena_text(arena, time_text(clock_wall_us(), now)));
}

static void letter_args(struct args *args, struct arena *arena, const char *queue, enum stream_place place,
                        const char *group, const struct delivery *d)
{
    script_keys(&bury, args, arena, queue, place);
    args_text(args, group);
    args_text(args, stream_id_text(arena, d->id));
    add_letter(args, arena, group, d);
}

bool dead_bury(struct redis *r, const char *queue, enum stream_place place, const char *group, const struct batch *b,
               struct error *err)
{
    struct args args = ARGS_INIT;
    bool ok = true;

    for (size_t i = 0; ok && i < b->count; i++) {
        const struct reply *reply = NULL;

        if (b->items[i].outcome != OUTCOME_DEAD)
            continue;
        letter_args(&args, b->arena, queue, place, group, &b->items[i]);
        ok = redis_script_call(r, &bury, &args, b->arena, &reply, err) ||
             (reply && reply_error_is(reply, "NOGROUP")); /* made anew, it delivers what there still is */
    }
    args_release(&args);
    return ok;
}

bool dead_add(struct redis *r, const char *queue, const char *handler, const struct event *e, int tries,
              const char *reason, const char *reply, struct error *err)
{
    struct delivery d = {.event = *e, .tries = tries - 1, .reason = reason, .reply = reply};
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    const struct reply *answer;
    char key[KEY_BYTES];
    bool ok;

    redis_script_args(&add, &args, 1);
    args_text(&args, queue_key(queue, "dead", key));
    add_letter(&args, arena, handler, &d);
    ok = redis_script_call(r, &add, &args, arena, &answer, err);
    args_release(&args);
    arena_free(arena);
    return ok;
}

/* False: an entry that is no letter. */
static bool letter_read(const struct reply *entry, struct dead_letter *out)
{
    const struct reply *fields;
    struct error unreadable; /* a letter may be about an event that could not be read */
    const char *tries;
    int64_t number;

    if (entry->kind != REPLY_ARRAY || entry->count != 2 || entry->items[1].kind != REPLY_ARRAY)
        return false;
    fields = &entry->items[1];
    out->id = entry->items[0].text;
    if (!event_from_fields(&out->event, fields, &unreadable))
        out->event.data = SPAN_NONE;
    out->handler = reply_field_text(fields, "handler");
    out->reason = reply_field_text(fields, "reason");
    out->reply = reply_field_text(fields, "reply");
    out->died = reply_field_text(fields, "died");
    tries = reply_field_text(fields, "tries");
    out->tries = text_int(tries, strlen(tries), &number) ? (int)number : 0;
    return true;
}

bool dead_list(struct redis *r, const char *queue, const char *after, size_t most, struct arena *arena,
               struct dead_letter **out, size_t *count, struct error *err)
{
    char key[KEY_BYTES];
    const struct reply *reply;
    const char *from = after ? arena_printf(arena, "(%s", after) : "-";

    *count = 0;
    if (!redis_do(r, arena, &reply, err, "XRANGE %s %s + COUNT %d", queue_key(queue, "dead", key), from, (int)most))
        return false;
    *out = arena_zero(arena, reply->count * sizeof **out);
    for (size_t i = 0; i < reply->count; i++)
        *count += letter_read(&reply->items[i], &(*out)[*count]);
    return true;
}

bool dead_find(struct redis *r, const char *queue, const char *id, struct arena *arena, struct dead_letter **out,
               struct error *err)
{
    char key[KEY_BYTES];
    const struct reply *reply;

    *out = NULL;
    if (!redis_do(r, arena, &reply, err, "XRANGE %s %s %s", queue_key(queue, "dead", key), id, id))
        return false;
    if (reply->count == 1) {
        *out = arena_zero(arena, sizeof **out);
        if (!letter_read(&reply->items[0], *out))
            *out = NULL;
    }
    return true;
}

bool dead_retry(struct redis *r, const char *queue, const struct dead_letter *letter, bool *was, struct error *err)
{
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    struct event event = letter->event;
    const struct reply *reply;
    bool ok;

    event.only = span_of(letter->handler);
    script_keys(&revive, &args, arena, queue, STREAM_TAIL);
    args_text(&args, letter->id);
    event_add_fields(&event, &args);
    ok = redis_script_call(r, &revive, &args, arena, &reply, err);
    *was = ok && reply->integer > 0;
    args_release(&args);
    arena_free(arena);
    return ok;
}

bool dead_drop(struct redis *r, const char *queue, const char *id, bool *was, struct error *err)
{
    struct arena *arena = arena_new();
    char key[KEY_BYTES];
    const struct reply *reply;
    bool ok = redis_do(r, arena, &reply, err, "XDEL %s %s", queue_key(queue, "dead", key), id);

    *was = ok && reply->integer > 0;
    arena_free(arena);
    return ok;
}
