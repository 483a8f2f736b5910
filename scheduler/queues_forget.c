#include "scheduler/queues_forget.h"

#include <stdio.h>
#include <string.h>

#include "base/redis.h"
#include "notifier/stream.h"
#include "notifier/verb_deed.h"

struct forgetting {
    const struct verb_call *call;
    const char *handler;
    struct redis *redis;
    struct arena *arena;
    int64_t groups, events;
};

/* Said first: what cannot be recorded is not done. */
static bool say(const struct forgetting *f, const char *queue, int64_t events, struct error *err)
{
    return verb_deed_begin(f->call->settings, "group.forgotten", arena_printf(f->arena, "handlers/%s", f->handler),
                           json_pack("{s:s, s:I}", "queue", queue, "events", (json_int_t)events), err);
}

static bool forget_in(struct forgetting *f, const char *queue, struct error *err)
{
    struct queue_state state;

    if (!stream_state(f->redis, queue, f->arena, &state, err))
        return false;
    for (size_t i = 0; i < state.group_count; i++) {
        int64_t events = state.groups[i].waiting + state.groups[i].pending;

        if (strcmp(state.groups[i].name, f->handler) != 0)
            continue;
        f->groups++;
        f->events += events;
        if (!f->call->dry_run &&
            (!say(f, queue, events, err) || !verb_deed_settle(stream_forget(f->redis, queue, f->handler, err), err)))
            return false;
    }
    return true;
}

static void print(const struct forgetting *f)
{
    const char *dry = f->call->dry_run ? "true" : "false";

    if (f->call->json)
        printf("{\"groups\":%lld,\"events\":%lld,\"dry_run\":%s}\n", (long long)f->groups, (long long)f->events, dry);
    else
        printf("forget%s: %lld group%s of %s, with %lld event%s that it had not done\n",
               f->call->dry_run ? " (dry run)" : "", (long long)f->groups, f->groups == 1 ? "" : "s", f->handler,
               (long long)f->events, f->events == 1 ? "" : "s");
}

int queues_forget(struct verb_call *call, const char *handler)
{
    const struct settings *s = call->settings;
    struct forgetting f = {.call = call, .handler = handler};
    struct error err;
    bool ok = true;

    if (settings_handler(s, handler))
        return verb_usage("queues", "this handler is configured: its group is in use, and would be made anew");
    f.redis = settings_redis(s);
    f.arena = arena_new();
    for (size_t i = 0; ok && i < s->queue_count; i++)
        ok = forget_in(&f, s->queues[i].name, &err);
    arena_free(f.arena);
    redis_free(f.redis);
    if (!ok)
        return verb_failed("queues", &err);
    if (f.groups == 0)
        return verb_usage("queues", "no queue has a group of that handler; `crier queues` lists those of no handler");
    print(&f);
    return EXIT_DONE;
}
