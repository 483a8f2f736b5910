#include "support/stream_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const char ini[] = "[redis]\nurl = REDIS\n[queue q]\nevents = **\n"
                          "[handler trail]\ntype = audit\nqueue = q\nindex =\n";

int stream_stage_open(void **state)
{
    *state = scene_open(ini);
    return 0;
}

int stream_stage_close(void **state)
{
    scene_close(*state);
    return 0;
}

void stream_stage_append(struct scene *s, int count)
{
    for (int i = 0; i < count; i++) {
        char id[20];
        struct event e;

        snprintf(id, sizeof id, "e%d", i);
        e = scene_event(s, "user.updated", id, "users/1", i, "{}");
        scene_append(s, &e, 1);
    }
}

struct stream *stream_stage_reader(struct scene *s, const char *consumer)
{
    return stream_new(s->redis, "q", STREAM_TAIL, "h", consumer);
}

struct batch stream_stage_read(struct scene *s, struct stream *stream)
{
    struct batch in = {.arena = s->arena};
    struct error err;

    if (!stream_read(stream, &in, 100, 0, &err))
        fail_msg("%s", err.text);
    return in;
}
