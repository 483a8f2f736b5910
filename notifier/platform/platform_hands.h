/*
 * notifier/platform/platform_hands.h - what the platform's door works with, and what it does with a message that is of
 * no use.
 */
#ifndef NOTIFIER_PLATFORM_PLATFORM_HANDS_H
#define NOTIFIER_PLATFORM_PLATFORM_HANDS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "config/settings.h"
#include "notifier/intake.h"
#include "notifier/platform/kombu_queue.h"
#include "notifier/salt.h"

struct platform_hands {
    const struct settings *settings;
    struct redis *broker, *own;
    struct intake *intake;
    struct salt *salt;   /* for what is told of messages that are no events */
    struct arena *arena; /* of one batch */
};

struct platform_refusal {
    const char *source, *type;          /* of the event it should have been */
    const struct queue_settings *queue; /* whose dead letters; NULL: of the first queue that wants the type */
    const struct kombu_waiting *message;
    size_t part; /* of the message; 0: all of it */
    const char *reason;
};

/* A dead letter for a message, without its content. False: it could not be noted, and the message has to stay. */
bool platform_bury(const struct platform_hands *h, const struct platform_refusal *r, struct error *err) must_check;

#endif
