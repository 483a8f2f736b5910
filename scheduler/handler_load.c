#include "scheduler/handler_load.h"

#include "handlers/dirty.h"
#include "handlers/handler.h"
#include "handlers/registry.h"
#include "notifier/stream.h"

/* Keys that were marked stand in the slots of whichever queues. */
static bool count_marks(const struct settings *s, const struct handler_settings *hs, struct redis *r, int64_t *marks,
                        struct error *err)
{
    int64_t more;

    for (size_t i = 0; i < s->queue_count; i++) {
        if (!dirty_count(r, s->queues[i].name, hs->name, &more, err))
            return false;
        *marks += more;
    }
    return true;
}

static const struct group_state *find_group(const struct queue_state *state, const char *name)
{
    for (size_t i = 0; i < state->group_count; i++)
        if (text_same(state->groups[i].name, name))
            return &state->groups[i];
    return NULL;
}

static void take_group(const struct queue_state *state, const char *name, struct handler_load *out)
{
    const struct group_state *g = find_group(state, name);

    if (!g) { /* not yet: it starts at the beginning */
        out->waiting = state->length;
        return;
    }
    out->waiting = g->waiting;
    out->pending = g->pending;
    out->oldest_seconds = g->oldest_ms / 1000;
    out->consumers = g->consumers;
}

bool handler_load_read(const struct settings *s, const struct handler_settings *hs, struct redis *r,
                       struct arena *arena, struct handler_load *out, struct error *err)
{
    const struct handler_type *type = handler_type_find(hs->type);
    struct queue_state state;

    *out = (struct handler_load){0};
    if (hs->kind->traits & KIND_CLOCK)
        return count_marks(s, hs, r, &out->waiting, err);
    if (!stream_state(r, hs->queue, arena, &state, err))
        return false;
    take_group(&state, hs->name, out);
    return !type->later || type->later(r, hs, &out->later, err);
}
