#include "support/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "notifier/append.h"
#include "scheduler/verbs.h"

char *scene_replaced(const char *text, const char *word, const char *by)
{
    struct buf out = BUF_INIT;
    const char *found;

    while ((found = strstr(text, word))) {
        buf_add(&out, text, (size_t)(found - text));
        buf_add_text(&out, by);
        text = found + strlen(word);
    }
    buf_add_text(&out, text);
    return buf_take(&out);
}

static char *fill_in(const char *ini, const struct server *redis)
{
    char *with_redis = scene_replaced(ini, "REDIS", redis_server_url(redis));
    char *with_prefix = scene_replaced(with_redis, "PREFIX", test_prefix());
    char *text = with_prefix;

    if (strstr(with_prefix, "SEARCH")) {
        struct server *search = opensearch_server_start();

        text = scene_replaced(with_prefix, "SEARCH", opensearch_server_url(search));
        free(with_prefix);
    }
    free(with_redis);
    return text;
}

static void write_config(struct scene *s, const char *text)
{
    static int number;
    FILE *file;

    snprintf(s->config_path, sizeof s->config_path, "%s/scene%d.ini", test_folder(), number++);
    file = fopen(s->config_path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

struct scene *scene_open(const char *ini)
{
    struct scene *s = xcalloc(1, sizeof *s);
    struct buf mistakes = BUF_INIT;
    struct error err;
    char *text;

    s->redis_server = redis_server_start(NULL);
    text = fill_in(ini, s->redis_server);
    write_config(s, text);
    s->settings = settings_load(s->config_path, scheduler_outside(), &mistakes, &err);
    if (!s->settings)
        fail_msg("%s", mistakes.data);
    s->arena = arena_new();
    s->redis = redis_new(&(struct redis_options){&s->settings->redis.address, 5000});
    buf_release(&mistakes);
    free(text);
    return s;
}

void scene_close(struct scene *s)
{
    redis_free(s->redis);
    arena_free(s->arena);
    settings_free(s->settings);
    server_free(s->redis_server);
    free(s);
}

struct event scene_event(struct scene *s, const char *type, const char *id, const char *subject, int64_t revision,
                         const char *data)
{
    char now[TIME_TEXT_BYTES];
    struct event e = {.revision = revision, .time_us = clock_wall_us()};

    e.id = e.unique = span_of(arena_text(s->arena, id));
    e.source = span_of("https://repository.example.org");
    e.type = span_of(arena_text(s->arena, type));
    e.time = span_of(arena_text(s->arena, time_text(e.time_us, now)));
    e.subject = span_of(arena_text(s->arena, subject ? subject : ""));
    e.data = span_of(arena_text(s->arena, data ? data : ""));
    e.actor = e.operation = e.traceparent = e.only = SPAN_NONE;
    return e;
}

void scene_append(struct scene *s, const struct event *events, size_t count)
{
    struct append *append = append_new(s->settings, s->redis);
    const struct event **list = arena_alloc(s->arena, count * sizeof(struct event *));
    enum append_outcome *outcomes = arena_alloc(s->arena, count * sizeof *outcomes);
    struct error err;

    for (size_t i = 0; i < count; i++)
        list[i] = &events[i];
    if (!append_events(append, list, count, outcomes, &err))
        fail_msg("%s", err.text);
    append_free(append);
}

const struct reply *scene_redis(struct scene *s, const char *format, ...)
{
    struct args args = ARGS_INIT;
    const struct reply *reply;
    const char *at, *word;
    struct error err;
    va_list values;
    char *command;
    size_t length;

    va_start(values, format);
    if (vasprintf(&command, format, values) < 0)
        fail_msg("out of memory");
    va_end(values);
    at = command;
    while (text_word(&at, &word, &length))
        args_bytes(&args, word, length);
    if (!redis_call(s->redis, &args, s->arena, &reply, &err) || !reply_ok(reply, &err))
        fail_msg("%s: %s", command, err.text);
    args_release(&args);
    free(command);
    return reply;
}
