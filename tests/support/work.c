#include "support/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "scheduler/lane.h"

enum { BEGUN_MOST = 2, PATIENCE_MS = 120000 };

struct lane *work_open(struct scene *s, const char *handler)
{
    struct error err;
    struct lane *lane = lane_new(s->settings, settings_handler(s->settings, handler), "test", 0, &err);

    if (!lane || !lane_install(lane, &err))
        fail_msg("%s", err.text);
    return lane;
}

void work_off(struct scene *s, const char *handler)
{
    struct lane *lane = work_open(s, handler);
    struct error err;
    size_t taken = 1;

    while (taken > 0)
        if (!lane_pass(lane, 0, &taken, &err))
            fail_msg("%s", err.text);
    lane_leave(lane);
    lane_free(lane);
}

bool work_is_done(struct scene *s, const char *queue)
{
    const struct reply *stream = scene_redis(s, "XINFO STREAM crier:{%s}:stream", queue);
    const struct reply *groups = scene_redis(s, "XINFO GROUPS crier:{%s}:stream", queue);

    return groups->count == 1 && reply_field(&groups->items[0], "pending")->integer == 0 &&
           strcmp(reply_field_text(&groups->items[0], "last-delivered-id"),
                  reply_field_text(stream, "last-generated-id")) == 0;
}

void work_is_alive(struct scene *s, const char *process)
{
    scene_redis(s, "SET crier:{processes}:%s 1 PX 3600000", process);
}

bool work_at_risk(struct scene *s, const char *queue, const char *handler)
{
    const struct reply *open;
    struct error err;

    if (!redis_do(s->redis, s->arena, &open, &err, "XPENDING crier:{%s}:stream %s - + 100000", queue, handler))
        return false; /* it has not begun yet */
    for (size_t i = 0; i < open->count; i++)
        if (open->items[i].items[3].integer > BEGUN_MOST) /* id, consumer, idle for, how often */
            return true;
    return false;
}

void work_survives(struct scene *s, const char *queue, const char *handler)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (work_at_risk(s, queue, handler)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%s comes to no end", handler);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
}
