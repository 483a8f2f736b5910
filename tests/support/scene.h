/*
 * tests/support/scene.h - the stage of a test: settings from a few lines of ini, a Redis of its own, events by the
 * dozen.
 */
#ifndef TESTS_SUPPORT_SCENE_H
#define TESTS_SUPPORT_SCENE_H

#include "base/arena.h"
#include "base/redis.h"
#include "config/settings.h"
#include "notifier/event.h"
#include "support/server.h"

struct scene {
    struct server *redis_server;
    struct redis *redis;
    struct settings *settings;
    struct arena *arena;
    char config_path[300];
};

/*
 * Starts Redis and loads the ini text, with "REDIS" in it replaced by the server's URL, "SEARCH" by OpenSearch's and
 * "PREFIX" by test_prefix. Fails the test with the mistakes where it does not load.
 */
struct scene *scene_open(const char *ini);

/* Text with every occurrence of a word replaced. Yours to free. */
char *scene_replaced(const char *text, const char *word, const char *by);
void scene_close(struct scene *s);

/* An event with all that must be there; id is its own and its unique id. data: JSON or NULL. */
struct event scene_event(struct scene *s, const char *type, const char *id, const char *subject, int64_t revision,
                         const char *data);

/* Appends events, and fails the test where Redis does not take them. */
void scene_append(struct scene *s, const struct event *events, size_t count);

/* The reply to a Redis command given as a format; fails the test on an error. */
const struct reply *scene_redis(struct scene *s, const char *format, ...) printf_like(2, 3);

#endif
