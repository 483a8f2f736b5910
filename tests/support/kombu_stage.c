#include "support/kombu_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/stop.h"
#include "notifier/platform/kombu_queue.h"

static const char ini[] =
    "[redis]\nurl = REDIS\ntimeout = 1s\n[http]\nlisten = 127.0.0.1:0\nevent = 2KiB\n"
    "[queue views]\nevents = record-view\n[queue plain]\nevents = plain\n"
    "[event record-view]\nprepare = visitor\n"
    "[platform]\nurl = %s\npoll = 20ms\nbatch = 50\nqueues = " QUEUE "=record-view stats-other=other "
    "stats-plain=plain\n";

int kombu_stage_open(void **state)
{
    struct kombu_stage *f = xcalloc(1, sizeof *f);
    struct error err;
    char text[1000];

    f->broker = redis_server_start(NULL);
    assert_true(redis_address_parse(redis_server_url(f->broker), &f->address, &err));
    f->kombu = redis_new(&(struct redis_options){&f->address, 2000});
    f->arena = arena_new();
    f->stop = stop_new();
    snprintf(text, sizeof text, ini, redis_server_url(f->broker));
    f->scene = scene_open(text);
    *state = f;
    return 0;
}

void kombu_stage_doors(struct kombu_stage *f, size_t count)
{
    struct error err;

    for (size_t i = 0; i < count; i++) {
        f->doors[i] = platform_door_start(f->scene->settings, f->stop, &err);
        if (!f->doors[i])
            fail_msg("%s", err.text);
    }
}

int kombu_stage_close(void **state)
{
    struct kombu_stage *f = *state;

    stop_raise(f->stop);
    for (size_t i = 0; i < ARRAY_LENGTH(f->doors); i++)
        platform_door_join(f->doors[i]);
    stop_free(f->stop);
    redis_free(f->kombu);
    redis_address_release(&f->address);
    server_free(f->broker);
    scene_close(f->scene);
    arena_free(f->arena);
    free(f);
    return 0;
}

const struct reply *kombu_ask(struct kombu_stage *f, const char *command, const char *key)
{
    const struct reply *reply;
    struct error err;

    if (!redis_do(f->kombu, f->arena, &reply, &err, "%s %s", command, key))
        fail_msg("%s", err.text);
    return reply;
}

void kombu_push(struct kombu_stage *f, const char *side, const char *list, const char *message)
{
    struct error err;

    if (!redis_do(f->kombu, f->arena, NULL, &err, "%s %s %s", side, list, message))
        fail_msg("%s", err.text);
}

static const char *base64(struct kombu_stage *f, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text), at = 0;
    char *out = arena_zero(f->arena, length * 2 + 8);

    for (size_t i = 0; i < length; i += 3) {
        unsigned bits = (unsigned)(unsigned char)text[i] << 16;

        bits |= i + 1 < length ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
        bits |= i + 2 < length ? (unsigned char)text[i + 2] : 0;
        for (unsigned j = 0; j < 4; j++)
            out[at++] = i + j > length ? '=' : digits[bits >> (18 - 6 * j) & 63];
    }
    return out;
}

const char *kombu_message(struct kombu_stage *f, const char *tag, const char *body)
{
    return arena_printf(f->arena,
                        "{\"body\": \"%s\", \"content-encoding\": \"utf-8\", \"content-type\": \"application/json\", "
                        "\"headers\": {}, \"properties\": {\"delivery_mode\": 1, \"delivery_info\": {\"exchange\": "
                        "\"events\", \"routing_key\": \"" QUEUE "\"}, \"priority\": 0, \"body_encoding\": \"base64\", "
                        "\"delivery_tag\": \"%s\"}}",
                        base64(f, body), tag);
}

const char *kombu_view(struct kombu_stage *f, int number)
{
    const char *body = arena_printf(f->arena,
                                    "{\"timestamp\": \"2026-11-20T10:00:00.%06d\", \"recid\": \"r%d\", \"ip_address\": "
                                    "\"192.0.2.77\", \"user_agent\": \"Secret/1\", \"user_id\": null, \"session_id\": "
                                    "\"s%d\"}",
                                    number, number, number);

    return kombu_message(f, arena_printf(f->arena, "00000000-0000-4000-8000-%012d", number), body);
}

int64_t kombu_waiting(struct kombu_stage *f)
{
    int64_t all = 0;

    for (int i = 0; i < KOMBU_PRIORITIES; i++)
        all += kombu_ask(f, "LLEN", kombu_list(QUEUE, i, f->arena))->integer;
    return all;
}

int64_t kombu_stage_length(struct kombu_stage *f, const char *key)
{
    return scene_redis(f->scene, "XLEN crier:{views}:%s", key)->integer;
}

void kombu_until_empty(struct kombu_stage *f)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (kombu_waiting(f) > 0) {
        if (clock_monotonic_ms() > until_ms)
            fail_msg("%lld messages are still there", (long long)kombu_waiting(f));
        usleep(10000);
    }
}
