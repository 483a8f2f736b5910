#include "handlers/reindex/rebuild_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"

#define RUNS_KEY   "crier:{reindex}:runs"
#define CANCEL_KEY "crier:{reindex}:cancel"

enum { KEEP_DAYS = 7 };

static const char *const phase_names[] = {
    [REBUILD_PREPARE] = "prepare", [REBUILD_FILL] = "fill",     [REBUILD_FOLLOW] = "follow",
    [REBUILD_COMPARE] = "compare", [REBUILD_SWITCH] = "switch", [REBUILD_SETTLE] = "settle",
    [REBUILD_DONE] = "done",
};

const char *rebuild_phase_name(enum rebuild_phase phase)
{
    return phase_names[phase];
}

static enum rebuild_phase phase_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(phase_names); i++)
        if (text_same(phase_names[i], name))
            return (enum rebuild_phase)i;
    return REBUILD_PREPARE;
}

void rebuild_state_init(struct rebuild_state *s)
{
    memset(s, 0, sizeof *s);
    s->position = xstrdup("");
}

void rebuild_state_release(struct rebuild_state *s)
{
    free(s->position);
    s->position = NULL;
}

void rebuild_state_move(struct rebuild_state *s, struct span position)
{
    char *moved = xstrndup(position.text, position.length);

    free(s->position);
    s->position = moved;
}

/* ------------------------------------------------------------------------------------------------------ as JSON */

/* Where each member of the state lies: texts and numbers alike. */
static const struct text_member {
    const char *name;
    size_t at, size;
} text_members[] = {
    {"alias",            offsetof(struct rebuild_state, alias),            INDEX_NAME_BYTES},
    {"old",              offsetof(struct rebuild_state, old),              INDEX_NAME_BYTES},
    {"into",             offsetof(struct rebuild_state, into),             INDEX_NAME_BYTES},
    {"source",           offsetof(struct rebuild_state, source),           INDEX_NAME_BYTES},
    {"refresh_interval", offsetof(struct rebuild_state, refresh_interval), 32              },
    {"replicas",         offsetof(struct rebuild_state, replicas),         16              },
    {"wrong",            offsetof(struct rebuild_state, wrong),            300             },
    {"failure",          offsetof(struct rebuild_state, failure),          512             },
};

static const struct number_member {
    const char *name;
    size_t at;
} number_members[] = {
    {"rate",       offsetof(struct rebuild_state, rate)      },
    {"parallel",   offsetof(struct rebuild_state, parallel)  },
    {"done",       offsetof(struct rebuild_state, done)      },
    {"done_anew",  offsetof(struct rebuild_state, done_anew) },
    {"total",      offsetof(struct rebuild_state, total)     },
    {"per_second", offsetof(struct rebuild_state, per_second)},
    {"started_us", offsetof(struct rebuild_state, started_us)},
    {"updated_us", offsetof(struct rebuild_state, updated_us)},
    {"skipped",    offsetof(struct rebuild_state, skipped)   },
    {"deletions",  offsetof(struct rebuild_state, deletions) },
};

static json_t *to_json(const struct rebuild_state *s)
{
    json_t *all = json_object();

    for (size_t i = 0; i < ARRAY_LENGTH(text_members); i++)
        json_object_set_new(all, text_members[i].name, json_string((const char *)s + text_members[i].at));
    for (size_t i = 0; i < ARRAY_LENGTH(number_members); i++) {
        int64_t number;

        memcpy(&number, (const char *)s + number_members[i].at, sizeof number);
        json_object_set_new(all, number_members[i].name, json_integer((json_int_t)number));
    }
    json_object_set_new(all, "phase", json_string(phase_names[s->phase]));
    json_object_set_new(all, "drop", json_boolean(s->drop));
    json_object_set_new(all, "filled", json_boolean(s->filled));
    json_object_set_new(all, "copied", shard_marks_json(&s->copied));
    json_object_set_new(all, "at_switch", shard_marks_json(&s->at_switch));
    json_object_set_new(all, "position", json_string(s->position));
    return all;
}

static void from_json(const json_t *all, struct rebuild_state *s)
{
    for (size_t i = 0; i < ARRAY_LENGTH(text_members); i++)
        snprintf((char *)s + text_members[i].at, text_members[i].size, "%s",
                 json_member_text(all, text_members[i].name, ""));
    for (size_t i = 0; i < ARRAY_LENGTH(number_members); i++) {
        int64_t number = json_integer_value(json_object_get(all, number_members[i].name));

        memcpy((char *)s + number_members[i].at, &number, sizeof number);
    }
    s->phase = phase_named(json_member_text(all, "phase", ""));
    s->drop = json_is_true(json_object_get(all, "drop"));
    s->filled = json_is_true(json_object_get(all, "filled"));
    shard_marks_from_json(json_object_get(all, "copied"), &s->copied);
    shard_marks_from_json(json_object_get(all, "at_switch"), &s->at_switch);
    rebuild_state_move(s, span_of(json_member_text(all, "position", "")));
}

static bool read_text(const char *text, size_t length, struct rebuild_state *s, struct error *err)
{
    json_t *all = json_text_parse(text, length, JSON_DEPTH_DEFAULT, err);

    if (!all)
        return error_in(err, "what Redis knows of the reindex");
    from_json(all, s);
    json_decref(all);
    return true;
}

/* ----------------------------------------------------------------------------------------------------- in Redis */

bool rebuild_state_load(struct redis *r, const char *alias, struct rebuild_state *s, bool *found, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = redis_do(r, arena, &reply, err, "HGET " RUNS_KEY " %s", alias);

    *found = ok && reply->kind == REPLY_TEXT;
    ok = ok && (!*found || read_text(reply->text, reply->length, s, err));
    arena_free(arena);
    return ok;
}

bool rebuild_state_save(struct redis *r, struct rebuild_state *s, struct error *err)
{
    struct arena *arena = arena_new();
    struct buf text = BUF_INIT;
    const struct reply *reply;
    json_t *all;
    bool ok;

    s->updated_us = clock_wall_us();
    all = to_json(s);
    json_add(&text, all);
    ok = redis_do(r, arena, &reply, err, "HSET " RUNS_KEY " %s %b", s->alias, text.data, text.length);
    json_decref(all);
    buf_release(&text);
    arena_free(arena);
    return ok;
}

static bool tell(struct redis *r, struct error *err, const char *format, const char *alias)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = redis_do(r, arena, &reply, err, format, alias);

    arena_free(arena);
    return ok;
}

bool rebuild_state_forget(struct redis *r, const char *alias, struct error *err)
{
    return tell(r, err, "HDEL " RUNS_KEY " %s", alias) && rebuild_cancel_forget(r, alias, err);
}

static int by_alias(const void *a, const void *b)
{
    const struct reply *x = a, *y = b;

    return strcmp(x[0].text, y[0].text);
}

static bool visit_one(struct redis *r, const struct reply *pair, rebuild_visit *visit, void *context, struct error *err)
{
    struct rebuild_state s;
    bool ok;

    rebuild_state_init(&s);
    ok = read_text(pair[1].text, pair[1].length, &s, err);
    if (ok && s.phase == REBUILD_DONE && clock_wall_us() - s.updated_us > KEEP_DAYS * MS_PER_DAY * 1000)
        ok = rebuild_state_forget(r, s.alias, err);
    else if (ok)
        visit(&s, context);
    rebuild_state_release(&s);
    return ok;
}

bool rebuild_state_each(struct redis *r, rebuild_visit *visit, void *context, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = redis_do(r, arena, &reply, err, "HGETALL " RUNS_KEY);

    if (ok && reply->count > 1)
        qsort(reply->items, reply->count / 2, 2 * sizeof *reply->items, by_alias);
    for (size_t i = 0; ok && i + 1 < reply->count; i += 2)
        ok = visit_one(r, &reply->items[i], visit, context, err);
    arena_free(arena);
    return ok;
}

bool rebuild_cancel_ask(struct redis *r, const char *alias, struct error *err)
{
    return tell(r, err, "HSET " CANCEL_KEY " %s 1", alias);
}

bool rebuild_cancel_forget(struct redis *r, const char *alias, struct error *err)
{
    return tell(r, err, "HDEL " CANCEL_KEY " %s", alias);
}

bool rebuild_cancel_asked(struct redis *r, const char *alias, bool *asked, struct error *err)
{
    struct arena *arena = arena_new();
    const struct reply *reply;
    bool ok = redis_do(r, arena, &reply, err, "HEXISTS " CANCEL_KEY " %s", alias);

    *asked = ok && reply->integer == 1;
    arena_free(arena);
    return ok;
}
