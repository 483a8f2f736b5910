/* tests/support/webhook_stage.h - two targets of webhooks on loopback, and the handlers first and second that serve
 * them. */
#ifndef TESTS_SUPPORT_WEBHOOK_STAGE_H
#define TESTS_SUPPORT_WEBHOOK_STAGE_H

#include <stddef.h>

#include "handlers/webhook/webhook_store.h"
#include "scheduler/lane.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/scene.h"

#define WEBHOOK_SECRET "whsec_" CANARY CANARY CANARY
#define WEBHOOK_OLD    "whsec_AAAA" CANARY CANARY "AAAA"

struct webhook_stage {
    struct scene *scene;
    struct hook_server *server, *other; /* of first and second */
    struct lane *lane, *other_lane;     /* likewise; other_lane is the test's to open */
    struct redis *redis;
    struct webhook_store *store; /* of first */
};

/* more: lines for the section of first. */
struct webhook_stage *webhook_stage_open(const char *more);
void webhook_stage_close(struct webhook_stage *s);

void webhook_stage_pass(struct lane *lane); /* until nothing is due */

/* An event of type record.published, data JSON or NULL, passed on to first. */
void webhook_stage_emit(struct webhook_stage *s, const char *id, const char *data);

struct webhook_target_state webhook_stage_state(struct webhook_stage *s);

/* Waits until so many attempts of first are settled: the last 100, the newest first. */
const struct reply *webhook_stage_attempts(struct webhook_stage *s, size_t count);
const char *webhook_attempt_field(const struct reply *attempts, size_t i, const char *name);

#endif
