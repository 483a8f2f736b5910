/* Whose process is gone leaves entries behind: who lives, taking over, and what a consumer holds by Redis's account. */
#include <stdio.h>
#include <string.h>

#include "notifier/stream_parts.h"

enum { ALIVE_MS = 10000, SETTLED_MS = 1000, GONE_MS = 3600000 };

static const char *process_key(const char *process, size_t length, char out[KEY_BYTES])
{
    snprintf(out, KEY_BYTES, "crier:{processes}:%.*s", (int)length, process);
    return out;
}

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

bool stream_process_lives(struct redis *r, const char *consumer, struct arena *arena, bool *lives, struct error *err)
{
    const struct reply *reply;
    char key[KEY_BYTES];

    if (!redis_do(r, arena, &reply, err, "EXISTS %s", process_key(consumer, strcspn(consumer, "/"), key)))
        return false;
    *lives = reply->integer > 0;
    return true;
}

/* One of what XPENDING lists. */
static struct left_behind listed_one(const struct reply *entry)
{
    int64_t counted = entry->items[3].integer;

    return (struct left_behind){.id = stream_id_parse(entry->items[0].text),
                                .deliveries = (int)(counted % STREAM_TRY),
                                .tries = (int)(counted / STREAM_TRY)};
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
            ids[listed++] = stream_id_parse(pending->items[i].items[0].text);
    if (listed == 0)
        return true;
    stream_claim_args(s, arena, s->consumer, idle_ms, ids, listed);
    args_text(&s->args, "JUSTID");
    if (!redis_call(s->redis, &s->args, arena, &claimed, err) || !reply_ok(claimed, err))
        return false;
    for (size_t i = 0, at = 0; i < claimed->count; i++) { /* both are in the order of the ids */
        while (at + 1 < pending->count && strcmp(pending->items[at].items[0].text, claimed->items[i].text) != 0)
            at++;
        out[(*count)++] = listed_one(&pending->items[at]);
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
        if (!stream_process_lives(s->redis, name, arena, &lives, err))
            return false;
        if (lives)
            continue;
        if (!redis_do(s->redis, arena, &pending, err, "XPENDING %s %s - + %d %s", s->key, s->group,
                      (int)(most - *count), name) ||
            !claim_listed(s, pending, strcmp(name, STREAM_HANDED_BACK) == 0 ? 0 : SETTLED_MS, arena, out, most, count,
                          err))
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
    if (!ok && stream_says_no_group(err))
        ok = stream_group_make(s, arena, err);
    arena_free(arena);
    return ok;
}

bool stream_own(struct stream *s, struct stream_id after, struct left_behind *out, size_t most, size_t *count,
                struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *pending;
    bool ok = redis_do(s->redis, arena, &pending, err, "XPENDING %s %s (%s + %d %s", s->key, s->group,
                       stream_id_text(arena, after), (int)most, s->consumer);

    *count = 0;
    if (!ok && stream_says_no_group(err))
        ok = stream_group_make(s, arena, err);
    else
        for (size_t i = 0; ok && i < pending->count; i++)
            out[(*count)++] = listed_one(&pending->items[i]);
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
        if (!stream_process_lives(r, name, arena, &lives, err))
            return false;
        if (!lives && !redis_do(r, arena, NULL, err, "XGROUP DELCONSUMER %s %s %s", key, group, name))
            return false;
    }
    return true;
}

static bool sweep_stream(struct redis *r, const char *key, struct arena *arena, struct error *err)
{
    const struct reply *exists, *groups;
    bool ok = redis_do(r, arena, &exists, err, "EXISTS %s", key);

    if (ok && exists->integer && (ok = redis_do(r, arena, &groups, err, "XINFO GROUPS %s", key)))
        for (size_t i = 0; ok && i < groups->count; i++)
            ok = sweep_group(r, key, reply_field_text(&groups->items[i], "name"), arena, err);
    return ok;
}

bool stream_sweep(struct redis *r, const char *queue, struct error *err)
{
    struct arena *arena = arena_new();
    char key[KEY_BYTES];
    bool ok = true;

    for (int place = 0; ok && place < STREAM_PLACES; place++)
        ok = sweep_stream(r, stream_key(queue, (enum stream_place)place, key), arena, err);
    arena_free(arena);
    return ok;
}
