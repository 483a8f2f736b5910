#include "support/outside_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/work.h"

void outside_open(struct outside *o, const char *ini)
{
    *o = (struct outside){.scene = scene_open(ini)};
}

void outside_close_lane(struct outside *o)
{
    if (o->lane)
        lane_leave(o->lane);
    lane_free(o->lane);
    o->lane = NULL;
}

void outside_close(struct outside *o)
{
    outside_close_lane(o);
    server_free(o->serve);
    scene_close(o->scene);
}

void outside_append(struct outside *o, int from, int count)
{
    struct event events[OUTSIDE_EVENTS_MOST];
    char id[20], data[60];

    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "e%d", from + i);
        snprintf(data, sizeof data, "{\"n\":%d,\"text\":\"\\\"\u00e4\\n\"}", from + i);
        events[i] = scene_event(o->scene, "user.updated", id, "users/1", from + i, data);
    }
    scene_append(o->scene, events, (size_t)count);
}

void outside_work(struct outside *o, int done, int dead)
{
    int64_t until_ms = clock_monotonic_ms() + OUTSIDE_PATIENCE_MS;
    struct lane_tally tally;
    struct error err;
    size_t taken;

    if (!o->lane)
        o->lane = work_open(o->scene, "mine");
    while (tally = lane_tally(o->lane), tally.done != done || (dead >= 0 && tally.dead != dead)) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%d done, %d dead: %s", (int)tally.done, (int)tally.dead, o->why);
        if (!lane_pass(o->lane, 0, &taken, &err)) {
            o->away++;
            snprintf(o->why, sizeof o->why, "%s", err.text);
        }
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
}

struct dead_letter *outside_letters(struct outside *o, size_t expected)
{
    struct dead_letter *found;
    struct error err;
    size_t count;

    assert_true(dead_list(o->scene->redis, "q", NULL, 50, o->scene->arena, &found, &count, &err));
    assert_int_equal(count, expected);
    return found;
}

void outside_kill(struct outside *o)
{
    const struct reply *alive;

    server_kill(o->serve);
    alive = scene_redis(o->scene, "KEYS crier:{processes}:*");
    for (size_t i = 0; i < alive->count; i++)
        scene_redis(o->scene, "DEL %s", alive->items[i].text);
    server_restart(o->serve);
}
