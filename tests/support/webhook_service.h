/* tests/support/webhook_service.h - `crier serve` with a subscription of ada's and the target of a handler. */
#ifndef TESTS_SUPPORT_WEBHOOK_SERVICE_H
#define TESTS_SUPPORT_WEBHOOK_SERVICE_H

#include <stddef.h>

#include "base/buf.h"
#include "support/hook_server.h"
#include "support/scene.h"

enum { TIMEOUT_S = 8 }; /* of a target */

struct webhook_service {
    struct scene *scene;
    struct hook_server *target; /* of both */
    struct server *serve;
    struct buf text;                       /* of the last answer */
    char *ada, *ben, *admin, *id, *secret; /* tokens; id, secret: of ada's subscription */
};

/* more: lines at the end of the configuration, with another handler of webhooks. */
struct webhook_service *webhook_service_open(const char *more);
void webhook_service_close(struct webhook_service *s);

char *webhook_service_token(struct webhook_service *s, const char *scope); /* a new one, yours */

/* Asks, and fails the test where the answer has another status; a member of the answer, yours. */
void webhook_service_expect(struct webhook_service *s, long status, const char *token, const char *method,
                            const char *path, const char *body);
char *webhook_service_member(struct webhook_service *s, const char *name);

/* "/webhooks/", a name, and what stands behind it; in the scene's arena. */
const char *webhook_service_path(struct webhook_service *s, const char *name, const char *what);

/* What came to the target as the i-th is signed by that secret. */
void webhook_service_signed(struct webhook_service *s, size_t i, const char *secret);

#endif
