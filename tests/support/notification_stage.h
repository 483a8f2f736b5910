/* tests/support/notification_stage.h - whatever takes a platform's change notifications, before its own broker. */
#ifndef TESTS_SUPPORT_NOTIFICATION_STAGE_H
#define TESTS_SUPPORT_NOTIFICATION_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "notifier/intake.h"
#include "notifier/platform/platform_door.h"
#include "support/platform_broker.h"
#include "support/scene.h"

/* The broker's, of calls of tasks. Ours are "changes", for users and groups, and "statistics", for others. */
#define QUEUE "change-notifications"

struct notification_stage {
    struct broker broker;
    struct scene *scene;
    struct intake *intake;
    struct stop *stop;
    struct platform_door *door; /* NULL, or the test's: teardown ends it */
    struct buf reply;
};

/* For cmocka: *state is a struct notification_stage. */
int notification_stage_open(void **state);
int notification_stage_close(void **state);

/* Of a stream of the queue "changes" ("events", "dead"): how many entries, and the fields of the i-th. */
int64_t notification_stage_length(struct notification_stage *f, const char *key);
const struct reply *notification_stage_entry(struct notification_stage *f, const char *key, size_t i);

#endif
