#include "support/notification_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/stop.h"
#include "support/process.h"

static const char ini[] = "[redis]\nurl = REDIS\ntimeout = 1s\n[http]\nlisten = 127.0.0.1:0\nevent = 4KiB\n"
                          "[queue statistics]\nevents = other\n[queue changes]\nevents = users.* groups.*\n"
                          "[handler members]\ntype = denormalize\nqueue = changes\nindex = m\nmatch = user.id\n"
                          "copy = user.name<-data.name\n"
                          "[platform]\nurl = %s\npoll = 20ms\nnotifications = " QUEUE "\n";

int notification_stage_open(void **state)
{
    struct notification_stage *f = xcalloc(1, sizeof *f);
    struct error err;
    char text[1000];

    broker_start(&f->broker);
    snprintf(text, sizeof text, ini, redis_server_url(f->broker.server));
    f->scene = scene_open(text);
    f->intake = intake_new(f->scene->settings, &err);
    f->stop = stop_new();
    assert_non_null(f->intake);
    *state = f;
    return 0;
}

int notification_stage_close(void **state)
{
    struct notification_stage *f = *state;

    stop_raise(f->stop);
    platform_door_join(f->door);
    stop_free(f->stop);
    intake_free(f->intake);
    buf_release(&f->reply);
    scene_close(f->scene);
    broker_end(&f->broker);
    free(f);
    return 0;
}

int64_t notification_stage_length(struct notification_stage *f, const char *key)
{
    return scene_redis(f->scene, "XLEN crier:{changes}:%s", key)->integer;
}

const struct reply *notification_stage_entry(struct notification_stage *f, const char *key, size_t i)
{
    const struct reply *all = scene_redis(f->scene, "XRANGE crier:{changes}:%s - +", key);

    assert_true(i < all->count);
    return &all->items[i].items[1];
}
