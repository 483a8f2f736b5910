#include "scheduler/run_tally.h"

#include <stddef.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "notifier/event.h"
#include "notifier/service_event.h"
#include "notifier/stream.h"

#define KEPT_SECONDS "2592000" /* a month after the last run */

void run_tally_add(struct run_tally *t, int64_t items, int64_t took_ms, const struct error *failed)
{
    if (items == 0)
        return;
    t->runs++;
    t->items += items;
    t->took_ms += took_ms;
    if (failed) {
        t->failed++;
        t->why = *failed;
    }
}

static json_t *data_of(const struct run_tally *t)
{
    json_t *data = json_pack("{s:I,s:I,s:I}", "runs", (json_int_t)t->runs, "items", (json_int_t)t->items, "took_ms",
                             (json_int_t)t->took_ms);

    if (t->failed > 0) {
        json_object_set_new(data, "outcome", json_string("failure"));
        json_object_set_new(data, "failed", json_integer(t->failed));
        json_object_set_new(data, "reason", json_string(t->why.text));
    }
    return data;
}

static bool say(const struct run_tally *t, struct redis *r, const char *actor, json_t *data, struct error *err)
{
    struct buf subject = BUF_INIT;
    bool ok;

    buf_printf(&subject, "handlers/%s", t->handler);
    ok = service_event_send(t->settings, r, "handler.ran", subject.data, actor, data, err);
    buf_release(&subject);
    return ok;
}

/* ----------------------------------------------------------------------------------------------------- in Redis */

static bool keep(struct run_tally *t, struct redis *r, struct arena *arena, struct error *err)
{
    json_t *data = data_of(t);
    struct buf text = BUF_INIT;
    const struct reply *reply;
    bool ok;

    json_add(&text, data);
    ok = redis_do(r, arena, &reply, err, "HSET crier:{service}:ran:%s %s %s", t->handler, t->actor, text.data) &&
         redis_do(r, arena, &reply, err, "EXPIRE crier:{service}:ran:%s " KEPT_SECONDS, t->handler);
    t->kept = t->kept || ok;
    buf_release(&text);
    json_decref(data);
    return ok;
}

static bool drop(const struct run_tally *t, struct redis *r, const char *actor, struct arena *arena, struct error *err)
{
    const struct reply *reply;

    return redis_do(r, arena, &reply, err, "HDEL crier:{service}:ran:%s %s", t->handler, actor);
}

/* Said before it is dropped: by a process that dies between twice rather than never. */
static bool say_left(const struct run_tally *t, struct redis *r, const char *actor, const struct reply *text,
                     struct arena *arena, struct error *err)
{
    bool lives;
    json_t *data;

    if (!stream_process_lives(r, reference_id(span_of(actor)).text, arena, &lives, err))
        return false;
    if (lives || text_same(actor, t->actor))
        return true;
    data = json_text_parse(text->text, text->length, 4, err);
    return (!data || say(t, r, actor, data, err)) && drop(t, r, actor, arena, err);
}

static bool say_all_left(const struct run_tally *t, struct redis *r, struct arena *arena, struct error *err)
{
    const struct reply *all;
    bool ok = redis_do(r, arena, &all, err, "HGETALL crier:{service}:ran:%s", t->handler);

    for (size_t i = 0; ok && i + 1 < all->count; i += 2)
        ok = say_left(t, r, all->items[i].text, &all->items[i + 1], arena, err);
    return ok;
}

static bool say_own(struct run_tally *t, struct redis *r, struct arena *arena, struct error *err)
{
    if (!say(t, r, t->actor, data_of(t), err))
        return false;
    t->runs = t->failed = t->items = t->took_ms = 0;
    t->said_ms = clock_monotonic_ms();
    if (!t->kept)
        return true;
    t->kept = false;
    return drop(t, r, t->actor, arena, err);
}

void run_tally_say(struct run_tally *t, struct redis *r, bool now)
{
    int64_t now_ms = clock_monotonic_ms();
    bool due = now || !t->said_ms || now_ms - t->said_ms >= RUN_TALLY_MS;
    struct arena *arena = arena_new();
    struct error err;
    bool ok = true;

    if (t->actor && (!t->looked_ms || now_ms - t->looked_ms >= RUN_TALLY_MS)) {
        ok = say_all_left(t, r, arena, &err);
        t->looked_ms = now_ms;
    }
    if (ok && t->runs > 0)
        ok = due || !t->actor ? say_own(t, r, arena, &err) : keep(t, r, arena, &err);
    if (!ok)
        log_debug("handler %s: %s", t->handler, err.text);
    arena_free(arena);
}
