#include "support/webhook_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "support/work.h"

static char *ini_of(const struct webhook_stage *s, const char *more)
{
    struct buf ini = BUF_INIT;

    buf_add_text(&ini, "[redis]\nurl = REDIS\n[queue changes]\nevents = record.*\n");
    for (int i = 0; i < 2; i++)
        buf_printf(&ini,
                   "[handler %s]\ntype = webhook\nqueue = changes\nurl = http://127.0.0.1:%d/hook?x=1\n"
                   "secret = " WEBHOOK_SECRET " " WEBHOOK_OLD
                   "\nhttp = yes\nports = %d\nallow = 127.0.0.0/8\ntimeout = 4s\n%s",
                   i ? "second" : "first", hook_server_port(i ? s->other : s->server),
                   hook_server_port(i ? s->other : s->server), i ? "" : more);
    buf_add_text(&ini, "[handler trail]\ntype = audit\nqueue = changes\nindex =\n");
    return buf_take(&ini);
}

struct webhook_stage *webhook_stage_open(const char *more)
{
    struct webhook_stage *s = xcalloc(1, sizeof *s);
    char *ini;

    s->server = hook_server_start("127.0.0.1");
    s->other = hook_server_start("127.0.0.1");
    ini = ini_of(s, more);
    s->scene = scene_open(ini);
    s->lane = work_open(s->scene, "first");
    s->redis = settings_redis(s->scene->settings);
    s->store = webhook_store_new(s->redis, "first");
    free(ini);
    return s;
}

void webhook_stage_close(struct webhook_stage *s)
{
    lane_leave(s->lane);
    lane_free(s->lane);
    lane_free(s->other_lane);
    webhook_store_free(s->store);
    redis_free(s->redis);
    scene_close(s->scene);
    hook_server_free(s->server);
    hook_server_free(s->other);
    free(s);
}

void webhook_stage_pass(struct lane *lane)
{
    struct error err;
    size_t taken = 1;

    while (taken > 0)
        if (!lane_pass(lane, 0, &taken, &err))
            fail_msg("%s", err.text);
}

void webhook_stage_emit(struct webhook_stage *s, const char *id, const char *data)
{
    struct event e = scene_event(s->scene, "record.published", id, "records/1", 3, data);

    scene_append(s->scene, &e, 1);
    webhook_stage_pass(s->lane);
}

struct webhook_target_state webhook_stage_state(struct webhook_stage *s)
{
    struct webhook_target_state state;
    struct error err;

    if (!webhook_store_state(s->store, s->scene->arena, &state, &err))
        fail_msg("%s", err.text);
    return state;
}

/* Until the last attempt is settled: as many of them are recorded. */
const struct reply *webhook_stage_attempts(struct webhook_stage *s, size_t count)
{
    int64_t until_ms = clock_monotonic_ms() + 60000;
    const struct reply *attempts;
    struct error err;

    do {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        if (!webhook_store_attempts(s->store, 100, s->scene->arena, &attempts, &err))
            fail_msg("%s", err.text);
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%zu of %zu attempts are recorded", attempts->count, count);
    } while (attempts->count < count);
    return attempts;
}

const char *webhook_attempt_field(const struct reply *attempts, size_t i, const char *name)
{
    return reply_field_text(&attempts->items[i].items[1], name);
}
