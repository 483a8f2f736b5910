#include "handlers/spread/newest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "handlers/spread/newest_scripts.h"
#include "notifier/stream.h"

enum {
    CHUNK_SUBJECTS = 100, /* in one call of a script: Redis serves nobody else meanwhile */
    FORGET_CHUNK = 500,
    FORGET_CALLS_MOST = 100,
    LEAVE_MS = 60000, /* when to ask again for what is still needed */
    BYTES_MOST = 64 * 1024 * 1024,
};

struct newest {
    struct redis *redis;
    struct arena *arena;
    struct args args;
    int64_t look_ms, keep_ms;
    char keys[NEWEST_KEYS][KEY_BYTES];
};

struct newest *newest_new(struct redis *r, const char *queue, const char *handler, int64_t look_ms, int64_t keep_ms)
{
    static const char *const names[NEWEST_KEYS] = {"newest", "look", "mass", "kept", "newest-bytes"};
    struct newest *n = xcalloc(1, sizeof *n);

    n->redis = r;
    n->arena = arena_new();
    n->args = (struct args)ARGS_INIT;
    n->look_ms = look_ms;
    n->keep_ms = keep_ms;
    for (size_t i = 0; i < NEWEST_KEYS; i++)
        handler_key(queue, names[i], handler, n->keys[i]);
    return n;
}

void newest_free(struct newest *n)
{
    if (!n)
        return;
    arena_free(n->arena);
    args_release(&n->args);
    free(n);
}

static void begin(struct newest *n, struct redis_script *script)
{
    arena_reset(n->arena);
    args_reset(&n->args);
    redis_script_args(script, &n->args, NEWEST_KEYS);
    for (size_t i = 0; i < NEWEST_KEYS; i++)
        args_text(&n->args, n->keys[i]);
}

static bool run(struct newest *n, struct redis_script *script, const struct reply **reply, struct error *err)
{
    return redis_script_call(n->redis, script, &n->args, n->arena, reply, err) ||
           error_in(err, "newest content of subjects");
}

static void add_look_and_keep(struct newest *n)
{
    int64_t now_ms = clock_wall_us() / 1000;

    args_int(&n->args, n->look_ms ? now_ms + n->look_ms : 0);
    args_int(&n->args, now_ms + n->keep_ms);
}

/* ------------------------------------------------------------------------------------------------- one value */

static const char *head_of(struct newest *n, const struct change *c)
{
    return arena_printf(n->arena, "%lld %lld %d ", (long long)c->subject.revision, (long long)c->time_us,
                        c->subject.deleted);
}

static void add_value(struct newest *n, const struct change *c)
{
    struct buf value = BUF_INIT;
    const char *kept;

    buf_add_text(&value, head_of(n, c));
    json_add(&value, c->material);
    kept = arena_copy(n->arena, value.data, value.length);
    args_bytes(&n->args, kept, value.length);
    buf_release(&value);
}

struct value {
    int64_t revision, time_us;
    bool deleted;
    json_t *material;
};

/* False: it is another's, or damaged: then it counts as nothing known. */
static bool read_value(const struct reply *reply, struct value *v)
{
    char *at;

    if (reply->kind != REPLY_TEXT || reply->length == 0)
        return false;
    v->revision = strtoll(reply->text, &at, 10);
    v->time_us = strtoll(at, &at, 10);
    v->deleted = strtoll(at, &at, 10) != 0;
    v->material = json_loadb(at, reply->length - (size_t)(at - reply->text), JSON_ALLOW_NUL, NULL);
    return v->material != NULL;
}

static bool take_newer(struct change *c, const struct reply *reply)
{
    struct value v;

    if (!read_value(reply, &v))
        return false;
    change_replace(c, v.revision, v.time_us, v.deleted, v.material);
    return true;
}

/* ------------------------------------------------------------------------------------------------------ noting */

static bool note_chunk(struct newest *n, struct changes *c, size_t from, size_t count, struct error *err)
{
    const struct reply *reply;

    begin(n, &newest_note_script);
    args_int(&n->args, clock_wall_us() / 1000);
    add_look_and_keep(n);
    for (size_t i = from; i < from + count; i++) {
        const struct change *one = changes_at(c, i);

        args_bytes(&n->args, one->subject.id.text, one->subject.id.length);
        add_value(n, one);
        args_int(&n->args, one->to_mass);
    }
    if (!run(n, &newest_note_script, &reply, err))
        return false;
    for (size_t i = 0; i < count && 2 * i + 1 < reply->count; i++) {
        changes_at(c, from + i)->in_mass = reply->items[2 * i].integer != 0;
        take_newer(changes_at(c, from + i), &reply->items[2 * i + 1]);
    }
    return true;
}

bool newest_note(struct newest *n, struct changes *c, struct error *err)
{
    size_t count = changes_count(c);

    for (size_t at = 0; at < count; at += CHUNK_SUBJECTS)
        if (!note_chunk(n, c, at, count - at < CHUNK_SUBJECTS ? count - at : CHUNK_SUBJECTS, err))
            return false;
    return true;
}

static bool look_later(struct newest *n, struct changes *c, size_t from, size_t count, struct error *err)
{
    int64_t due_ms = clock_wall_us() / 1000 + n->look_ms;
    const struct reply *reply;
    size_t written = 0;

    arena_reset(n->arena);
    args_reset(&n->args);
    args_text(&n->args, "ZADD");
    args_text(&n->args, n->keys[NEWEST_KEY_LOOK]);
    args_text(&n->args, "XX"); /* what the clock spreads is looked at after that */
    args_text(&n->args, "GT");
    for (size_t i = from; i < from + count; i++) {
        const struct change *one = changes_at(c, i);

        if (!one->wrote)
            continue;
        written++;
        args_int(&n->args, due_ms);
        args_bytes(&n->args, one->subject.id.text, one->subject.id.length);
    }
    return written == 0 || (redis_call(n->redis, &n->args, n->arena, &reply, err) && reply_ok(reply, err)) ||
           error_in(err, "newest content of subjects");
}

bool newest_wrote(struct newest *n, struct changes *c, struct error *err)
{
    size_t count = n->look_ms ? changes_count(c) : 0;

    for (size_t at = 0; at < count; at += CHUNK_SUBJECTS)
        if (!look_later(n, c, at, count - at < CHUNK_SUBJECTS ? count - at : CHUNK_SUBJECTS, err))
            return false;
    return true;
}

bool newest_to_mass(struct newest *n, struct change *change, struct error *err)
{
    arena_reset(n->arena);
    return redis_do(n->redis, n->arena, NULL, err, "ZADD %s NX %lld %b", n->keys[NEWEST_KEY_MASS],
                    (long long)(clock_wall_us() / 1000), change->subject.id.text, change->subject.id.length) ||
           error_in(err, "newest content of subjects");
}

/* ------------------------------------------------------------------------------------------------- asking again */

static bool is_other(const struct change *c, const struct value *v)
{
    return v->revision != c->subject.revision || v->time_us != c->time_us || v->deleted != c->subject.deleted;
}

/* What this process noted itself, or what another made of it meanwhile: never older. */
static bool take_other(struct change *c, const struct reply *reply)
{
    struct value v;

    if (!read_value(reply, &v))
        return false;
    if (!is_other(c, &v)) {
        json_decref(v.material);
        return false;
    }
    change_replace(c, v.revision, v.time_us, v.deleted, v.material);
    return true;
}

bool newest_ask(struct newest *n, struct change *const *changes, size_t count, bool *moved, struct error *err)
{
    const struct reply *reply;

    *moved = false;
    if (count == 0)
        return true;
    arena_reset(n->arena);
    args_reset(&n->args);
    args_text(&n->args, "HMGET");
    args_text(&n->args, n->keys[NEWEST_KEY_CONTENT]);
    for (size_t i = 0; i < count; i++)
        args_bytes(&n->args, changes[i]->subject.id.text, changes[i]->subject.id.length);
    if (!redis_call(n->redis, &n->args, n->arena, &reply, err) || !reply_ok(reply, err))
        return error_in(err, "newest content of subjects");
    for (size_t i = 0; i < count && i < reply->count; i++) {
        changes[i]->moved = take_other(changes[i], &reply->items[i]);
        *moved |= changes[i]->moved;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------- by the clock */

/* ids: id, score, id, score ... What has no content any more is left out. */
static bool fill(struct newest *n, const struct reply *ids, struct changes *out, struct error *err)
{
    const struct reply *reply;
    json_t *nothing = json_object();

    changes_reset(out);
    args_reset(&n->args);
    args_text(&n->args, "HMGET");
    args_text(&n->args, n->keys[NEWEST_KEY_CONTENT]);
    for (size_t i = 0; i + 1 < ids->count; i += 2)
        args_bytes(&n->args, ids->items[i].text, ids->items[i].length);
    if (ids->count > 0 && (!redis_call(n->redis, &n->args, n->arena, &reply, err) || !reply_ok(reply, err))) {
        json_decref(nothing);
        return error_in(err, "newest content of subjects");
    }
    for (size_t i = 0; i + 1 < ids->count && i / 2 < reply->count; i += 2) {
        struct subject s = {
            .id = {ids->items[i].text, ids->items[i].length},
              .revision = REVISION_NONE
        };
        struct change *c = changes_add(out, &s, nothing, 0);

        c->due_ms = (int64_t)strtod(ids->items[i + 1].text, NULL);
        if (!take_newer(c, &reply->items[i / 2]))
            change_set(out, c, OUTCOME_DONE, "nothing is known of it any more", NULL);
    }
    json_decref(nothing);
    return true;
}

bool newest_due(struct newest *n, size_t most, struct changes *out, struct error *err)
{
    const struct reply *ids;

    arena_reset(n->arena);
    if (!redis_do(n->redis, n->arena, &ids, err, "ZRANGEBYSCORE %s -inf %lld WITHSCORES LIMIT 0 %lld",
                  n->keys[NEWEST_KEY_LOOK], (long long)(clock_wall_us() / 1000), (long long)most))
        return error_in(err, "newest content of subjects");
    return fill(n, ids, out, err);
}

bool newest_mass(struct newest *n, size_t most, struct changes *out, struct error *err)
{
    const struct reply *ids;

    arena_reset(n->arena);
    if (!redis_do(n->redis, n->arena, &ids, err, "ZRANGE %s 0 %lld WITHSCORES", n->keys[NEWEST_KEY_MASS],
                  (long long)most - 1))
        return error_in(err, "newest content of subjects");
    return fill(n, ids, out, err);
}

bool newest_looked(struct newest *n, const struct change *change, int64_t again_ms, struct error *err)
{
    const struct reply *reply;

    begin(n, &newest_looked_script);
    args_bytes(&n->args, change->subject.id.text, change->subject.id.length);
    args_int(&n->args, change->due_ms);
    args_int(&n->args, again_ms ? clock_wall_us() / 1000 + again_ms : 0);
    return run(n, &newest_looked_script, &reply, err);
}

bool newest_spread(struct newest *n, const struct change *change, struct error *err)
{
    const struct reply *reply;

    begin(n, &newest_spread_script);
    args_bytes(&n->args, change->subject.id.text, change->subject.id.length);
    args_text(&n->args, head_of(n, change));
    add_look_and_keep(n);
    return run(n, &newest_spread_script, &reply, err);
}

bool newest_forget(struct newest *n, struct error *err)
{
    int64_t now_ms = clock_wall_us() / 1000;
    const struct reply *reply;
    int calls = 0;

    do {
        begin(n, &newest_forget_script);
        args_int(&n->args, now_ms);
        args_int(&n->args, FORGET_CHUNK);
        args_int(&n->args, BYTES_MOST);
        args_int(&n->args, now_ms + LEAVE_MS);
        if (!run(n, &newest_forget_script, &reply, err))
            return false;
    } while (reply->integer == FORGET_CHUNK && ++calls < FORGET_CALLS_MOST);
    return true;
}

bool newest_mass_count(struct redis *r, const char *queue, const char *handler, int64_t *count, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    char key[KEY_BYTES];
    bool ok = redis_do(r, arena, &reply, err, "ZCARD %s", handler_key(queue, "mass", handler, key));

    *count = ok ? reply->integer : 0;
    arena_free(arena);
    return ok || error_in(err, "newest content of subjects");
}
