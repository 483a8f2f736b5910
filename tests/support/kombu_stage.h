/*
 * tests/support/kombu_stage.h - a platform's broker with the queue of its views as kombu fills it, and crier's doors at
 * it.
 */
#ifndef TESTS_SUPPORT_KOMBU_STAGE_H
#define TESTS_SUPPORT_KOMBU_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "notifier/platform/platform_door.h"
#include "support/scene.h"

enum { PATIENCE_MS = 60000 };

/* The platform's; its views go to our queue "views", those of stats-plain to "plain", for those of stats-other is none.
 */
#define QUEUE "stats-record-view"

struct kombu_stage {
    struct server *broker;
    struct redis_address address;
    struct redis *kombu; /* our own view of the broker */
    struct scene *scene;
    struct arena *arena;
    struct stop *stop;
    struct platform_door *doors[2];
};

/* For cmocka: *state is a struct kombu_stage, without a door. */
int kombu_stage_open(void **state);
int kombu_stage_close(void **state);
void kombu_stage_doors(struct kombu_stage *f, size_t count);

/* As kombu 5 serializes a message that invenio-queues published; view: of a number, with all that the platform sends.
 */
const char *kombu_message(struct kombu_stage *f, const char *tag, const char *body);
const char *kombu_view(struct kombu_stage *f, int number);

void kombu_push(struct kombu_stage *f, const char *side, const char *list, const char *message); /* side: "LPUSH" */
const struct reply *kombu_ask(struct kombu_stage *f, const char *command, const char *key);
int64_t kombu_waiting(struct kombu_stage *f); /* in QUEUE, of all priorities */
void kombu_until_empty(struct kombu_stage *f);

int64_t kombu_stage_length(struct kombu_stage *f, const char *key); /* of a stream of the queue "views": "events" */

#endif
