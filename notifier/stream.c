#include "notifier/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

enum { ALIVE_MS = 10000, SETTLED_MS = 1000, GONE_MS = 3600000 };

#define HANDED_BACK "-/handed-back" /* holds what a clean stop left unfinished; never a process's name */

struct stream {
    struct redis *redis;
    char *queue, *group, *consumer;
    char key[KEY_BYTES];
    struct args args;
    bool used, remade;
};

const char *queue_key(const char *queue, const char *what, char out[KEY_BYTES])
{
    snprintf(out, KEY_BYTES, "crier:{%s}:%s", queue, what);
    return out;
}

static const char *process_key(const char *process, size_t length, char out[KEY_BYTES])
{
    snprintf(out, KEY_BYTES, "crier:{processes}:%.*s", (int)length, process);
    return out;
}

struct stream *stream_new(struct redis *r, const char *queue, const char *group, const char *consumer)
{
    struct stream *s = xcalloc(1, sizeof *s);

    s->redis = r;
    s->queue = xstrdup(queue);
    s->group = xstrdup(group);
    s->consumer = xstrdup(consumer);
    queue_key(queue, "stream", s->key);
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

/* A stream id as text, into the arena. */
static const char *id_text(struct arena *arena, struct stream_id id)
{
    return arena_printf(arena, "%llu-%llu", (unsigned long long)id.ms, (unsigned long long)id.sequence);
}

static struct stream_id id_parse(const char *text)
{
    char *dash;
    struct stream_id id;

    id.ms = strtoull(text, &dash, 10);
    id.sequence = *dash == '-' ? strtoull(dash + 1, NULL, 10) : 0;
    return id;
}

static void add_ids(struct stream *s, struct arena *arena, const struct stream_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        args_text(&s->args, id_text(arena, ids[i]));
}

/* Redis has several words for it. */
static bool says_no_group(const struct error *err)
{
    return strstr(err->text, "NOGROUP") || strstr(err->text, "no such key");
}

/* A script, as nothing is trimmed, and no memory freed, before all groups are there. */
static struct redis_script make_group = {
    .text = SCRIPT_ALLOW_OOM "return redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')\n",
};

static bool group_make(struct stream *s, struct arena *arena, struct error *err)
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
        d->id = id_parse(entry->items[0].text);
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
        if (!group_make(s, in->arena, err))
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

/* XCLAIM of ids for a consumer, whatever their idle time; the caller adds the options. */
static void claim_args(struct stream *s, struct arena *arena, const char *consumer, int64_t idle_ms,
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

bool stream_fetch(struct stream *s, struct batch *in, const struct stream_id *ids, size_t count, bool attempt,
                  struct error *err)
{
    const struct reply *reply;

    in->count = 0;
    if (count == 0)
        return true;
    claim_args(s, in->arena, s->consumer, 0, ids, count);
    if (!attempt) {
        args_text(&s->args, "RETRYCOUNT");
        args_int(&s->args, 1);
    }
    if (!redis_call(s->redis, &s->args, in->arena, &reply, err))
        return false;
    if (reply_error_is(reply, "NOGROUP"))
        return group_make(s, in->arena, err);
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
    claim_args(s, arena, s->consumer, 0, ids, count);
    args_text(&s->args, "JUSTID");
}

static void hand_back_args(struct stream *s, struct arena *arena, const struct stream_id *ids, size_t count)
{
    claim_args(s, arena, HANDED_BACK, 0, ids, count);
    args_text(&s->args, "RETRYCOUNT");
    args_int(&s->args, 0);
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

bool stream_hand_back(struct stream *s, const struct stream_id *ids, size_t count, struct error *err)
{
    return over_ids(s, ids, count, hand_back_args, err);
}

bool stream_ack(struct stream *s, const struct stream_id *ids, size_t count, struct error *err)
{
    return over_ids(s, ids, count, ack_args, err);
}

/* ---------------------------------------------------------------------------------------------- left behind */

/* A script, as a process does not die because Redis is out of memory. */
static struct redis_script announce = {
    .text = SCRIPT_ALLOW_OOM "return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])\n",
};

bool stream_announce(struct redis *r, const char *process, struct error *err)
{
    struct arena *arena = arena_new();
    struct args args = ARGS_INIT;
    const struct reply *reply;
    char key[KEY_BYTES];
    bool ok;

    redis_script_args(&announce, &args, 1);
    args_text(&args, process_key(process, strlen(process), key));
    args_int(&args, ALIVE_MS);
    ok = redis_script_call(r, &announce, &args, arena, &reply, err);
    args_release(&args);
    arena_free(arena);
    return ok;
}

static bool same_process(const char *consumer, const char *other)
{
    size_t length = strcspn(consumer, "/");

    return length == strcspn(other, "/") && strncmp(consumer, other, length) == 0;
}

static bool process_lives(struct redis *r, const char *consumer, struct arena *arena, bool *lives, struct error *err)
{
    const struct reply *reply;
    char key[KEY_BYTES];

    if (!redis_do(r, arena, &reply, err, "EXISTS %s", process_key(consumer, strcspn(consumer, "/"), key)))
        return false;
    *lives = reply->integer > 0;
    return true;
}

/* Claims what XPENDING listed of other consumers; what another was quicker to claim is left out. */
static bool claim_listed(struct stream *s, const struct reply *pending, int64_t idle_ms, struct arena *arena,
                         struct left_behind *out, size_t most, size_t *count, struct error *err)
{
    struct stream_id *ids = arena_alloc(arena, (pending->count + 1) * sizeof *ids);
    const struct reply *claimed;
    size_t listed = 0;

    for (size_t i = 0; i < pending->count && *count + listed < most; i++)
        if (strcmp(pending->items[i].items[1].text, s->consumer) != 0)
            ids[listed++] = id_parse(pending->items[i].items[0].text);
    if (listed == 0)
        return true;
    claim_args(s, arena, s->consumer, idle_ms, ids, listed);
    args_text(&s->args, "JUSTID");
    if (!redis_call(s->redis, &s->args, arena, &claimed, err) || !reply_ok(claimed, err))
        return false;
    for (size_t i = 0, at = 0; i < claimed->count; i++) { /* both are in the order of the ids */
        struct left_behind *l = &out[(*count)++];

        while (at + 1 < pending->count && strcmp(pending->items[at].items[0].text, claimed->items[i].text) != 0)
            at++;
        l->id = id_parse(claimed->items[i].text);
        l->deliveries = (int)pending->items[at].items[3].integer;
    }
    return true;
}

static bool take_from_gone(struct stream *s, struct arena *arena, struct left_behind *out, size_t most, size_t *count,
                           struct error *err)
{
    const struct reply *consumers, *pending;

    if (!redis_do(s->redis, arena, &consumers, err, "XINFO CONSUMERS %s %s", s->key, s->group))
        return false;
    s->used = true; /* the group was seen: one that has to be made from now on is one that went away */
    for (size_t i = 0; i < consumers->count && *count < most; i++) {
        const char *name = reply_field_text(&consumers->items[i], "name");
        bool lives = true;

        if (reply_field_int(&consumers->items[i], "pending") == 0 || same_process(name, s->consumer))
            continue;
        if (!process_lives(s->redis, name, arena, &lives, err))
            return false;
        if (lives)
            continue;
        if (!redis_do(s->redis, arena, &pending, err, "XPENDING %s %s - + %d %s", s->key, s->group,
                      (int)(most - *count), name) ||
            !claim_listed(s, pending, strcmp(name, HANDED_BACK) == 0 ? 0 : SETTLED_MS, arena, out, most, count, err))
            return false;
    }
    return true;
}

bool stream_take_over(struct stream *s, struct left_behind *out, size_t most, int64_t deadline_ms, size_t *count,
                      struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *pending;
    bool ok;

    *count = 0;
    ok = take_from_gone(s, arena, out, most, count, err) &&
         redis_do(s->redis, arena, &pending, err, "XPENDING %s %s IDLE %lld - + %d", s->key, s->group,
                  (long long)deadline_ms, (int)most) &&
         claim_listed(s, pending, deadline_ms, arena, out, most, count, err);
    if (!ok && says_no_group(err))
        ok = group_make(s, arena, err);
    arena_free(arena);
    return ok;
}

/* The id of the last entry that the group was given; NULL where there is no such group yet. */
static bool last_delivered(struct stream *s, struct arena *arena, const char **id, struct error *err)
{
    const struct reply *groups;

    *id = NULL;
    if (!redis_do(s->redis, arena, &groups, err, "XINFO GROUPS %s", s->key))
        return says_no_group(err);
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

bool stream_own(struct stream *s, struct stream_id after, struct left_behind *out, size_t most, size_t *count,
                struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *pending;
    bool ok = redis_do(s->redis, arena, &pending, err, "XPENDING %s %s (%s + %d %s", s->key, s->group,
                       id_text(arena, after), (int)most, s->consumer);

    *count = 0;
    if (!ok && says_no_group(err))
        ok = group_make(s, arena, err);
    else
        for (size_t i = 0; ok && i < pending->count; i++)
            out[(*count)++] = (struct left_behind){id_parse(pending->items[i].items[0].text),
                                                   (int)pending->items[i].items[3].integer};
    arena_free(arena);
    return ok;
}

static bool sweep_group(struct redis *r, const char *key, const char *group, struct arena *arena, struct error *err)
{
    const struct reply *consumers;

    if (!redis_do(r, arena, &consumers, err, "XINFO CONSUMERS %s %s", key, group))
        return false;
    for (size_t i = 0; i < consumers->count; i++) {
        const char *name = reply_field_text(&consumers->items[i], "name");
        bool lives = true;

        if (reply_field_int(&consumers->items[i], "pending") > 0 ||
            reply_field_int(&consumers->items[i], "idle") < GONE_MS)
            continue;
        if (!process_lives(r, name, arena, &lives, err))
            return false;
        if (!lives && !redis_do(r, arena, NULL, err, "XGROUP DELCONSUMER %s %s %s", key, group, name))
            return false;
    }
    return true;
}

bool stream_sweep(struct redis *r, const char *queue, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *exists, *groups;
    char key[KEY_BYTES];
    bool ok = redis_do(r, arena, &exists, err, "EXISTS %s", queue_key(queue, "stream", key));

    if (ok && exists->integer && (ok = redis_do(r, arena, &groups, err, "XINFO GROUPS %s", key)))
        for (size_t i = 0; ok && i < groups->count; i++)
            ok = sweep_group(r, key, reply_field_text(&groups->items[i], "name"), arena, err);
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
