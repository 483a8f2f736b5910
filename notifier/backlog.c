#include "notifier/backlog.h"

#include <unistd.h>

#include "base/log.h"
#include "notifier/pattern.h"
#include "notifier/stream.h"

enum { WAIT_MS = 100 };

/* What the slowest of the queue's handlers has still to do; one that never ran has everything to do. */
static int64_t backlog_of(const struct settings *s, const struct queue_state *state)
{
    int64_t most = 0;
    bool any = false;

    for (size_t i = 0; i < state->group_count; i++) {
        const struct group_state *g = &state->groups[i];

        if (!settings_handler(s, g->name))
            continue;
        any = true;
        if (g->waiting + g->pending > most)
            most = g->waiting + g->pending;
    }
    return any ? most : state->length;
}

static bool backlog_read(const struct settings *s, struct redis *r, const char *queue, int64_t *events,
                         struct error *err)
{
    struct arena *arena = arena_new();
    struct queue_state state;
    bool ok = stream_state(r, queue, arena, &state, err);

    *events = ok ? backlog_of(s, &state) : 0;
    arena_free(arena);
    return ok;
}

static bool gets_urls(const struct settings *s, const struct queue_settings *q, const void *context)
{
    (void)context;
    for (size_t i = 0; i < s->url_count; i++)
        if (patterns_match(q->events, span_of(s->urls[i].event)))
            return true;
    return false;
}

bool backlog_longest(const struct settings *s, struct redis *r,
                     bool (*asked)(const struct settings *s, const struct queue_settings *q, const void *context),
                     const void *context, int64_t *events, const char **queue, struct error *err)
{
    *events = 0;
    for (size_t i = 0; i < s->queue_count; i++) {
        int64_t backlog;

        if (!asked(s, &s->queues[i], context))
            continue;
        if (!backlog_read(s, r, s->queues[i].name, &backlog, err))
            return false;
        if (backlog > *events) {
            *events = backlog;
            *queue = s->queues[i].name;
        }
    }
    return true;
}

bool backlog_wait(const struct settings *s, struct redis *r, int64_t most, struct error *err)
{
    const char *queue = "";
    int64_t waiting;

    for (bool said = false; backlog_longest(s, r, gets_urls, NULL, &waiting, &queue, err); said = true) {
        if (waiting <= most)
            return true;
        if (!said)
            log_warn("%lld events wait in the queue %s: the import goes on when `crier serve` has taken them",
                     (long long)waiting, queue);
        usleep(WAIT_MS * 1000);
    }
    return false;
}
