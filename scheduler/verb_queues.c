/* crier queues, crier handlers: a row each, with what waits. */
#include <string.h>

#include "base/buf.h"
#include "base/listing.h"
#include "notifier/stream.h"
#include "scheduler/handler_load.h"
#include "scheduler/queues_forget.h"
#include "scheduler/verbs.h"

/* A group that no handler of the configuration stands for holds entries back from trimming. */
static bool is_configured(const struct settings *s, const char *queue, const char *group)
{
    const struct handler_settings *hs = settings_handler(s, group);

    return hs && strcmp(hs->queue, queue) == 0;
}

static void list_queue(struct listing *l, const struct settings *s, const struct queue_settings *q,
                       const struct queue_state *state)
{
    struct buf strangers = BUF_INIT;

    for (size_t i = 0; i < state->group_count; i++)
        if (!is_configured(s, q->name, state->groups[i].name))
            buf_printf(&strangers, "%s%s", strangers.length ? " " : "", state->groups[i].name);
    listing_text(l, q->name);
    listing_text(l, q->events);
    listing_int(l, state->length);
    listing_int(l, state->dead);
    listing_int(l, (int64_t)state->group_count);
    listing_text(l, strangers.length ? strangers.data : NULL);
    buf_release(&strangers);
}

static bool fill_queues(struct listing *l, const struct settings *s, struct redis *r, struct arena *arena,
                        struct error *err)
{
    for (size_t i = 0; i < s->queue_count; i++) {
        struct queue_state state;

        if (!stream_state(r, s->queues[i].name, arena, &state, err))
            return false;
        list_queue(l, s, &s->queues[i], &state);
    }
    return true;
}

static bool fill_handlers(struct listing *l, const struct settings *s, struct redis *r, struct arena *arena,
                          struct error *err)
{
    for (size_t i = 0; i < s->handler_count; i++) {
        const struct handler_settings *hs = &s->handlers[i];
        struct handler_load load;

        if (!handler_load_read(s, hs, r, arena, &load, err))
            return false;
        listing_text(l, hs->name);
        listing_text(l, hs->type);
        listing_text(l, hs->queue);
        listing_text(l, hs->schedule);
        listing_int(l, load.waiting);
        listing_int(l, load.pending);
        listing_int(l, load.oldest_seconds);
        listing_int(l, load.consumers);
        listing_int(l, load.later);
    }
    return true;
}

#define QUEUE_COLUMNS   "queue events length dead groups groups_of_no_handler"
#define HANDLER_COLUMNS "handler type queue schedule waiting pending oldest_seconds consumers later"

static int show(struct verb_call *call, const char *verb, const char *columns,
                bool (*fill)(struct listing *, const struct settings *, struct redis *, struct arena *, struct error *))
{
    struct redis *r = settings_redis(call->settings);
    struct arena *arena = arena_new();
    struct listing *l = listing_new(columns);
    struct error err;
    bool ok = fill(l, call->settings, r, arena, &err);

    if (ok)
        listing_write(l, stdout, call->json);
    listing_free(l);
    arena_free(arena);
    redis_free(r);
    return ok ? EXIT_DONE : verb_failed(verb, &err);
}

int verb_queues(struct verb_call *call)
{
    if (call->argc == 2 && strcmp(call->argv[0], "forget") == 0)
        return queues_forget(call, call->argv[1]);
    return call->argc ? verb_usage("queues", "[forget HANDLER]") : show(call, "queues", QUEUE_COLUMNS, fill_queues);
}

int verb_handlers(struct verb_call *call)
{
    return call->argc ? verb_usage("handlers", "takes no arguments")
                      : show(call, "handlers", HANDLER_COLUMNS, fill_handlers);
}
