/*
 * notifier/platform/kombu_message.h - one message as kombu's virtual transports (Redis among them) write it: JSON with
 * the body inside, and the event in that body.
 *
 * What a reason says never quotes the message: it may hold addresses and names.
 */
#ifndef NOTIFIER_PLATFORM_KOMBU_MESSAGE_H
#define NOTIFIER_PLATFORM_KOMBU_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "base/text.h"

enum { KOMBU_TAG_BYTES = 64 };

struct kombu_message {
    char tag[KOMBU_TAG_BYTES]; /* given once, when it is published, and kept however often it is delivered; "": none */
    json_t *payload;           /* the event, owned by the caller */
};

/* depth: of the event's JSON. ERROR_INPUT: there is no event in it; out->payload is NULL, the tag may be known. */
bool kombu_message_read(const char *bytes, size_t length, int depth, struct arena *arena, struct kombu_message *out,
                        struct error *err) must_check;

/* A call of one of the platform's tasks (Celery's second protocol), its body not looked into. */
struct kombu_task {
    const char *name; /* "": none is told, and the body not read */
    struct span body; /* the arguments as JSON text */
};

/* ERROR_INPUT: it is no such message; name is told all the same where it is known. All in the arena. */
bool kombu_task_read(const char *bytes, size_t length, struct arena *arena, struct kombu_task *out,
                     struct error *err) must_check;

#endif
