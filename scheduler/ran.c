#include "scheduler/ran.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "notifier/stream.h"

static const char *ran_key(const struct handler_settings *hs, char out[KEY_BYTES])
{
    char what[KEY_BYTES / 2];

    snprintf(what, sizeof what, "ran:%s", hs->name);
    return queue_key(hs->queue, what, out);
}

int64_t ran_last_us(const struct settings *s, const struct handler_settings *hs)
{
    struct redis *r = settings_redis(s);
    struct arena *arena = arena_new();
    const struct reply *reply;
    struct error err;
    char key[KEY_BYTES];
    int64_t last_us = 0;

    if (!redis_do(r, arena, &reply, &err, "GET %s", ran_key(hs, key)))
        log_warn("handler %s: when it ran last is not known: %s", hs->name, err.text);
    else if (reply->text)
        last_us = strtoll(reply->text, NULL, 10);
    arena_free(arena);
    redis_free(r);
    return last_us;
}

void ran_note(const struct settings *s, const struct handler_settings *hs, int64_t slot_us)
{
    struct redis *r = settings_redis(s);
    struct arena *arena = arena_new();
    struct error err;
    char key[KEY_BYTES];

    if (!redis_do(r, arena, NULL, &err, "SET %s %lld", ran_key(hs, key), (long long)slot_us))
        log_warn("handler %s: its run could not be noted: %s", hs->name, err.text);
    arena_free(arena);
    redis_free(r);
}
