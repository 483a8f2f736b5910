#include "notifier/stream_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

const char *queue_key(const char *queue, const char *what, char out[KEY_BYTES])
{
    snprintf(out, KEY_BYTES, "crier:{%s}:%s", queue, what);
    return out;
}

const char *handler_key(const char *queue, const char *what, const char *handler, char out[KEY_BYTES])
{
    char name[KEY_BYTES / 2];

    snprintf(name, sizeof name, "%s:%s", what, handler);
    return queue_key(queue, name, out);
}

const char *stream_key(const char *queue, enum stream_place place, char out[KEY_BYTES])
{
    return queue_key(queue, place == STREAM_HEAD ? "head" : "stream", out);
}

struct stream *stream_new(struct redis *r, const char *queue, enum stream_place place, const char *group,
                          const char *consumer)
{
    struct stream *s = xcalloc(1, sizeof *s);

    s->redis = r;
    s->queue = xstrdup(queue);
    s->group = xstrdup(group);
    s->consumer = xstrdup(consumer);
    stream_key(queue, place, s->key);
    return s;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    args_release(&s->args);
    free(s->queue);
    free(s->group);
    free(s->consumer);
    free(s);
}

bool stream_group_remade(struct stream *s)
{
    bool remade = s->remade;

    s->remade = false;
    return remade;
}

static void add_ids(struct stream *s, struct arena *arena, const struct stream_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        args_text(&s->args, stream_id_text(arena, ids[i]));
}

bool stream_says_no_group(const struct error *err)
{
    return strstr(err->text, "NOGROUP") || strstr(err->text, "no such key");
}

/* A script, as nothing is trimmed, and no memory freed, before all groups are there. */
static struct redis_script make_group = {
    .text = SCRIPT_ALLOW_OOM "return redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')\n",
};

bool stream_group_make(struct stream *s, struct arena *arena, struct error *err)
{
    const struct reply *reply = NULL;

    redis_script_args(&make_group, &s->args, 1);
    args_text(&s->args, s->key);
    args_text(&s->args, s->group);
    if (redis_script_call(s->redis, &make_group, &s->args, arena, &reply, err)) {
        s->remade = s->used;
        return true;
    }
    return reply && reply_error_is(reply, "BUSYGROUP"); /* another lane was first */
}

/* ---------------------------------------------------------------------------------------------------- reading */

/* Entries as XREADGROUP and XCLAIM give them: [[id, [field, value ...]], ...]. */
static void take_entries(const struct reply *entries, struct batch *in)
{
    in->items = arena_zero(in->arena, entries->count * sizeof *in->items);
    in->count = 0;
    for (size_t i = 0; i < entries->count; i++) {
        const struct reply *entry = &entries->items[i];
        struct delivery *d = &in->items[in->count];
        struct error err;

        if (entry->kind != REPLY_ARRAY || entry->count != 2 || entry->items[0].kind != REPLY_TEXT)
            continue; /* an entry deleted from the stream */
        in->count++;
        d->id = stream_id_parse(entry->items[0].text);
        if (!event_from_fields(&d->event, &entry->items[1], &err))
            delivery_set(in, d, OUTCOME_DEAD, err.text, NULL);
    }
}

static void read_args(struct stream *s, size_t most, int wait_ms)
{
    args_reset(&s->args);
    args_text(&s->args, "XREADGROUP");
    args_text(&s->args, "GROUP");
    args_text(&s->args, s->group);
    args_text(&s->args, s->consumer);
    args_text(&s->args, "COUNT");
    args_int(&s->args, (int64_t)most);
    if (wait_ms > 0) {
        args_text(&s->args, "BLOCK");
        args_int(&s->args, wait_ms);
    }
    args_text(&s->args, "STREAMS");
    args_text(&s->args, s->key);
    args_text(&s->args, ">");
}

bool stream_read(struct stream *s, struct batch *in, size_t most, int wait_ms, struct error *err)
{
    const struct reply *reply;

    in->count = 0;
    read_args(s, most, wait_ms);
    if (!redis_call(s->redis, &s->args, in->arena, &reply, err))
        return false;
    if (reply_error_is(reply, "NOGROUP")) {
        if (!stream_group_make(s, in->arena, err))
            return false;
        read_args(s, most, 0);
        if (!redis_call(s->redis, &s->args, in->arena, &reply, err))
            return false;
    }
    if (!reply_ok(reply, err))
        return false;
    s->used = true;
    if (reply->kind == REPLY_ARRAY && reply->count == 1 && reply->items[0].count == 2)
        take_entries(&reply->items[0].items[1], in);
    return true;
}

void stream_claim_args(struct stream *s, struct arena *arena, const char *consumer, int64_t idle_ms,
                       const struct stream_id *ids, size_t count)
{
    args_reset(&s->args);
    args_text(&s->args, "XCLAIM");
    args_text(&s->args, s->key);
    args_text(&s->args, s->group);
    args_text(&s->args, consumer);
    args_int(&s->args, idle_ms);
    add_ids(s, arena, ids, count);
}

bool stream_fetch(struct stream *s, struct batch *in, const struct stream_id *ids, size_t count, int tries,
                  struct error *err)
{
    const struct reply *reply;

    in->count = 0;
    if (count == 0)
        return true;
    stream_claim_args(s, in->arena, s->consumer, 0, ids, count);
    if (tries != STREAM_ONCE_MORE) {
        args_text(&s->args, "RETRYCOUNT");
        args_int(&s->args, 1 + (int64_t)STREAM_TRY * tries);
    }
    if (!redis_call(s->redis, &s->args, in->arena, &reply, err))
        return false;
    if (reply_error_is(reply, "NOGROUP"))
        return stream_group_make(s, in->arena, err);
    if (!reply_ok(reply, err))
        return false;
    take_entries(reply, in);
    return true;
}

/* A command over ids whose reply does not matter, in pieces. */
static bool over_ids(struct stream *s, const struct stream_id *ids, size_t count,
                     void (*make)(struct stream *, struct arena *, const struct stream_id *, size_t), struct error *err)
{
    enum { PIECE = 5000 };
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = true;

    for (size_t done = 0; ok && done < count; done += PIECE) {
        arena_reset(arena);
        make(s, arena, ids + done, count - done < PIECE ? count - done : PIECE);
        ok = redis_call(s->redis, &s->args, arena, &reply, err) &&
             (reply_error_is(reply, "NOGROUP") || reply_ok(reply, err));
    }
    arena_free(arena);
    return ok;
}

static void keep_args(struct stream *s, struct arena *arena, const struct stream_id *ids, size_t count)
{
    stream_claim_args(s, arena, s->consumer, 0, ids, count);
    args_text(&s->args, "JUSTID");
}

static void note_tries_args(struct stream *s, struct arena *arena, const struct stream_id *ids, size_t count)
{
    stream_claim_args(s, arena, s->consumer, 0, ids, count);
    args_text(&s->args, "RETRYCOUNT");
    args_int(&s->args, 1 + (int64_t)STREAM_TRY * s->tries);
    args_text(&s->args, "JUSTID");
}

static void hand_back_args(struct stream *s, struct arena *arena, const struct stream_id *ids, size_t count)
{
    stream_claim_args(s, arena, STREAM_HANDED_BACK, 0, ids, count);
    args_text(&s->args, "RETRYCOUNT");
    args_int(&s->args, (int64_t)STREAM_TRY * s->tries);
    args_text(&s->args, "JUSTID");
}

static void ack_args(struct stream *s, struct arena *arena, const struct stream_id *ids, size_t count)
{
    args_reset(&s->args);
    args_text(&s->args, "XACK");
    args_text(&s->args, s->key);
    args_text(&s->args, s->group);
    add_ids(s, arena, ids, count);
}

bool stream_keep(struct stream *s, const struct stream_id *ids, size_t count, struct error *err)
{
    return over_ids(s, ids, count, keep_args, err);
}

bool stream_note_tries(struct stream *s, const struct stream_id *ids, size_t count, int tries, struct error *err)
{
    s->tries = tries;
    return over_ids(s, ids, count, note_tries_args, err);
}

bool stream_hand_back(struct stream *s, const struct stream_id *ids, size_t count, int tries, struct error *err)
{
    s->tries = tries;
    return over_ids(s, ids, count, hand_back_args, err);
}

bool stream_ack(struct stream *s, const struct stream_id *ids, size_t count, struct error *err)
{
    return over_ids(s, ids, count, ack_args, err);
}

/* The id of the last entry that the group was given; NULL where there is no such group yet. */
static bool last_delivered(struct stream *s, struct arena *arena, const char **id, struct error *err)
{
    const struct reply *groups;

    *id = NULL;
    if (!redis_do(s->redis, arena, &groups, err, "XINFO GROUPS %s", s->key))
        return stream_says_no_group(err);
    for (size_t i = 0; i < groups->count; i++)
        if (strcmp(reply_field_text(&groups->items[i], "name"), s->group) == 0)
            *id = reply_field_text(&groups->items[i], "last-delivered-id");
    return true;
}

bool stream_waits(struct stream *s, int wait_ms, bool *some, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *first;
    const char *after;
    bool ok = last_delivered(s, arena, &after, err);

    *some = ok && !after; /* a read makes the group */
    if (ok && after) {
        ok = redis_do(s->redis, arena, &first, err, "XREAD COUNT 1 BLOCK %d STREAMS %s %s", wait_ms > 0 ? wait_ms : 1,
                      s->key, after);
        *some = ok && first->kind == REPLY_ARRAY;
    }
    arena_free(arena);
    return ok;
}

bool stream_leave(struct stream *s, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *pending;
    bool ok = redis_do(s->redis, arena, &pending, err, "XPENDING %s %s - + 1 %s", s->key, s->group, s->consumer);

    if (ok && pending->count == 0) /* removing a consumer removes what it holds with it */
        ok = redis_do(s->redis, arena, NULL, err, "XGROUP DELCONSUMER %s %s %s", s->key, s->group, s->consumer);
    arena_free(arena);
    return ok;
}
