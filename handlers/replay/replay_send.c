#include "handlers/replay/replay_send.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "notifier/backlog.h"
#include "notifier/pattern.h"
#include "notifier/stream.h"

enum { WAIT_MS = 100 };

bool replay_wants(const struct settings *s, const struct handler_settings *hs, struct span type)
{
    const struct queue_settings *q = settings_queue(s, hs->queue);

    return q && patterns_match(q->events, type) && (!*hs->events || patterns_match(hs->events, type));
}

static bool append(const struct replay_options *o, const struct handler_settings *hs, const struct event *e,
                   struct args *args, struct error *err)
{
    struct event mine = *e;
    char key[KEY_BYTES];

    mine.only = span_of(hs->name);
    args_reset(args);
    args_text(args, "XADD");
    args_text(args, stream_key(hs->queue, STREAM_TAIL, key));
    args_text(args, "*");
    event_add_fields(&mine, args);
    return redis_append(o->redis, args, err);
}

static bool append_all(const struct replay_options *o, const struct event *events, size_t count, int64_t *sent,
                       size_t *appended, struct error *err)
{
    struct args args = ARGS_INIT;
    bool ok = true;

    for (size_t i = 0; ok && i < count; i++)
        for (size_t h = 0; ok && h < o->handler_count; h++)
            if (replay_wants(o->settings, o->handlers[h], events[i].type)) {
                ok = append(o, o->handlers[h], &events[i], &args, err);
                sent[h]++;
                ++*appended;
            }
    args_release(&args);
    return ok;
}

/* All replies are read; the first refusal is told. */
static bool read_replies(const struct replay_options *o, size_t count, struct error *err)
{
    struct arena *arena = arena_new();
    struct error one;
    bool ok = true, linked = true;

    for (size_t i = 0; linked && i < count; i++) {
        const struct reply *reply;

        arena_reset(arena);
        linked = redis_next(o->redis, arena, &reply, &one);
        if ((!linked || !reply_ok(reply, &one)) && ok) {
            *err = one;
            ok = false;
        }
    }
    arena_free(arena);
    return ok;
}

bool replay_send(const struct replay_options *o, const struct event *events, size_t count, int64_t *sent,
                 struct error *err)
{
    int64_t more[REPLAY_HANDLERS_MOST] = {0};
    size_t appended = 0;
    bool ok;

    if (o->dry_run) {
        for (size_t i = 0; i < count; i++)
            for (size_t h = 0; h < o->handler_count; h++)
                sent[h] += replay_wants(o->settings, o->handlers[h], events[i].type);
        return true;
    }
    ok = append_all(o, events, count, more, &appended, err) && read_replies(o, appended, err);
    if (!ok)
        redis_drop(o->redis); /* replies may be under way */
    for (size_t h = 0; ok && h < o->handler_count; h++)
        sent[h] += more[h];
    return ok;
}

static bool is_ours(const struct settings *s, const struct queue_settings *q, const void *context)
{
    const struct replay_options *o = context;

    (void)s;
    for (size_t h = 0; h < o->handler_count; h++)
        if (strcmp(o->handlers[h]->queue, q->name) == 0)
            return true;
    return false;
}

bool replay_wait(const struct replay_options *o, struct clock_run *run, struct error *err)
{
    const char *queue = "";
    int64_t waiting;

    for (bool said = false; backlog_longest(o->settings, o->redis, is_ours, o, &waiting, &queue, err); said = true) {
        if (waiting <= o->backlog_most)
            return true;
        if (!said)
            log_warn("%lld events wait in the queue %s: the replay goes on when `crier serve` has taken them",
                     (long long)waiting, queue);
        if (!run->may_go_on(run, err))
            return false;
        usleep(WAIT_MS * 1000);
    }
    return false;
}
