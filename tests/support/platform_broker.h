/* tests/support/platform_broker.h - a platform's message broker, and what its task runner publishes there. */
#ifndef TESTS_SUPPORT_PLATFORM_BROKER_H
#define TESTS_SUPPORT_PLATFORM_BROKER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/redis.h"
#include "support/server.h"

struct broker {
    struct server *server;
    struct redis_address address;
    struct redis *redis; /* our own view of it */
    struct arena *arena;
};

void broker_start(struct broker *b);
void broker_end(struct broker *b);

void broker_push(struct broker *b, const char *queue, const char *message);

/* The message by which Celery 5 (its second protocol, over Redis) calls a task; body: [arguments, named, ...]. */
const char *broker_call(struct broker *b, const char *queue, const char *task, const char *body);

/* Waits until so many messages are left, or fails the test. */
void broker_until_left(struct broker *b, const char *queue, int64_t left);

#endif
