#include "notifier/append.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "notifier/pattern.h"
#include "notifier/service_event.h"

enum {
    CHUNK_EVENTS = 64, /* in one call of the script: Redis serves nobody else meanwhile */
};

/*
 * KEYS: the stream, then the seen-key of each event. ARGV: the window in ms, then per event its version ("" where any
 * second one is a duplicate), the number of its words, and the words. An entry that cannot be added takes its seen-key
 * with it, so that a refused event leaves no trace. Replies 1 appended, 0 seen before.
 */
static struct redis_script append_once = {
    .text = "local call, pcall, window, at, out = redis.call, redis.pcall, ARGV[1], 2, {}\n"
            "for i = 2, #KEYS do\n"
            "  local key, version, last = KEYS[i], ARGV[at], at + 1 + tonumber(ARGV[at + 1])\n"
            "  local seen = call('SET', key, version, 'NX', 'GET', 'PX', window)\n"
            "  if seen and (version == '' or tonumber(version) <= (tonumber(seen) or 0)) then\n"
            "    out[i - 1] = 0\n"
            "  else\n"
            "    local added = pcall('XADD', KEYS[1], '*', unpack(ARGV, at + 2, last))\n"
            "    if added.err then\n"
            "      if not seen then call('DEL', key) end\n"
            "      return added\n"
            "    end\n"
            "    if seen then call('SET', key, version, 'PX', window) end\n"
            "    out[i - 1] = 1\n"
            "  end\n"
            "  at = last + 1\n"
            "end\n"
            "return out\n",
};

struct append {
    const struct settings *settings;
    struct redis *redis;
    struct arena *arena;
    struct args args;
    enum stream_place place; /* of the call under way */
};

/* Events of one queue that go in one call of the script. */
struct chunk {
    const struct queue_settings *queue;
    size_t count;
    size_t events[CHUNK_EVENTS];
    bool answered, again;
};

struct chunks {
    struct chunk *items;
    size_t count;
};

struct append *append_new(const struct settings *settings, struct redis *redis)
{
    struct append *a = xcalloc(1, sizeof *a);

    a->settings = settings;
    a->redis = redis;
    a->arena = arena_new();
    return a;
}

void append_free(struct append *a)
{
    if (!a)
        return;
    args_release(&a->args);
    arena_free(a->arena);
    free(a);
}

/* What the service does itself goes to the queues of the handlers that keep account of it. */
static bool hears_service(const struct settings *s, const struct queue_settings *q)
{
    for (size_t i = 0; i < s->handler_count; i++)
        if (s->handlers[i].kind->traits & KIND_HEARS_SERVICE && strcmp(s->handlers[i].queue, q->name) == 0)
            return true;
    return false;
}

static bool queue_wants(const struct settings *s, const struct queue_settings *q, struct span type)
{
    return patterns_match(q->events, type) || (service_event_is(type) && hears_service(s, q));
}

bool append_wanted(const struct append *a, struct span type)
{
    for (size_t i = 0; i < a->settings->queue_count; i++)
        if (queue_wants(a->settings, &a->settings->queues[i], type))
            return true;
    return false;
}

/* Deals the events out to the queues that want them, chunk by chunk. */
static struct chunks make_chunks(struct append *a, const struct event *const *events, size_t count,
                                 enum append_outcome *outcomes)
{
    size_t queues = a->settings->queue_count;
    size_t most = queues * (count / CHUNK_EVENTS + 1);
    struct chunks chunks = {arena_zero(a->arena, most * sizeof(struct chunk)), 0};

    for (size_t i = 0; i < count; i++)
        outcomes[i] = APPEND_NO_QUEUE;
    for (size_t q = 0; q < queues; q++) {
        struct chunk *open = NULL;

        for (size_t i = 0; i < count; i++) {
            if (!queue_wants(a->settings, &a->settings->queues[q], events[i]->type))
                continue;
            if (!open || open->count == CHUNK_EVENTS) {
                open = &chunks.items[chunks.count++];
                open->queue = &a->settings->queues[q];
            }
            open->events[open->count++] = i;
            outcomes[i] = APPEND_UNKNOWN;
        }
    }
    return chunks;
}

static void add_event(struct append *a, const struct event *e)
{
    size_t place;

    if (e->latest_wins)
        args_int(&a->args, e->time_us);
    else
        args_text(&a->args, "");
    place = a->args.count; /* of the number of words, known only after them */
    args_text(&a->args, "");
    args_int(&a->args, (int64_t)event_add_fields(e, &a->args));
    a->args.count--;
    a->args.words[place] = a->args.words[a->args.count];
    a->args.lengths[place] = a->args.lengths[a->args.count];
}

static bool send_chunk(struct append *a, const struct chunk *c, const struct event *const *events, struct error *err)
{
    char key[KEY_BYTES];

    redis_script_args(&append_once, &a->args, (int)c->count + 1);
    args_text(&a->args, arena_text(a->arena, stream_key(c->queue->name, a->place, key)));
    for (size_t i = 0; i < c->count; i++) {
        struct span unique = events[c->events[i]]->unique;

        args_text(&a->args, arena_printf(a->arena, "%s%.*s", queue_key(c->queue->name, "seen:", key),
                                         (int)unique.length, unique.text));
    }
    args_int(&a->args, c->queue->window_ms);
    for (size_t i = 0; i < c->count; i++)
        add_event(a, events[c->events[i]]);
    return redis_append(a->redis, &a->args, err);
}

static void note_outcomes(const struct chunk *c, const struct reply *reply, enum append_outcome *outcomes)
{
    for (size_t i = 0; i < c->count && i < reply->count; i++) {
        enum append_outcome *o = &outcomes[c->events[i]];

        if (reply->items[i].integer > 0)
            *o = APPEND_NEW;
        else if (*o != APPEND_NEW)
            *o = APPEND_DUPLICATE;
    }
}

/* Sends all chunks not answered yet and reads as many replies. A refusal by Redis is kept in err for the end. */
static bool pipeline(struct append *a, struct chunks *chunks, const struct event *const *events,
                     enum append_outcome *outcomes, struct error *err)
{
    const struct reply *reply;

    for (size_t i = 0; i < chunks->count; i++)
        if (!chunks->items[i].answered && !send_chunk(a, &chunks->items[i], events, err))
            return false;
    for (size_t i = 0; i < chunks->count; i++) {
        struct chunk *c = &chunks->items[i];

        if (c->answered)
            continue;
        if (!redis_next(a->redis, a->arena, &reply, err))
            return false;
        c->again = reply_error_is(reply, "NOSCRIPT");
        c->answered = !c->again && reply_ok(reply, err);
        if (c->answered)
            note_outcomes(c, reply, outcomes);
    }
    return true;
}

/* An event is known only when each of its queues has answered. */
static bool all_answered(const struct chunks *chunks, enum append_outcome *outcomes)
{
    bool all = true;

    for (size_t i = 0; i < chunks->count; i++) {
        if (chunks->items[i].answered)
            continue;
        all = false;
        for (size_t j = 0; j < chunks->items[i].count; j++)
            outcomes[chunks->items[i].events[j]] = APPEND_UNKNOWN;
    }
    return all;
}

static bool script_missing(const struct chunks *chunks)
{
    for (size_t i = 0; i < chunks->count; i++)
        if (chunks->items[i].again)
            return true;
    return false;
}

bool append_events(struct append *a, const struct event *const *events, size_t count, enum append_outcome *outcomes,
                   struct error *err)
{
    return append_events_at(a, STREAM_TAIL, events, count, outcomes, err);
}

bool append_events_at(struct append *a, enum stream_place place, const struct event *const *events, size_t count,
                      enum append_outcome *outcomes, struct error *err)
{
    struct chunks chunks;
    bool sent;

    arena_reset(a->arena);
    a->place = place;
    chunks = make_chunks(a, events, count, outcomes);
    sent = pipeline(a, &chunks, events, outcomes, err) &&
           (!script_missing(&chunks) ||
            (redis_script_load(a->redis, &append_once, err) && pipeline(a, &chunks, events, outcomes, err)));
    if (all_answered(&chunks, outcomes) && sent)
        return true;
    redis_drop(a->redis); /* replies may be under way, or the server be no longer the master */
    return false;
}
