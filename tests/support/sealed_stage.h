/*
 * tests/support/sealed_stage.h - `crier serve` with a sealing key or without one, and subscriptions whose secrets have
 * the word of all secrets in them.
 */
#ifndef TESTS_SUPPORT_SEALED_STAGE_H
#define TESTS_SUPPORT_SEALED_STAGE_H

#include <stddef.h>

#include "base/buf.h"
#include "support/canary.h"
#include "support/hook_server.h"
#include "support/scene.h"

/* Two keys, and a webhook's secret. */
#define FIRST  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SECOND "/////////////////////////////////////////w8="
#define WHSEC  "whsec_" CANARY CANARY CANARY

struct sealed_stage {
    struct scene *scene;
    struct hook_server *target;
    struct server *serve;
    struct buf text; /* of the last answer */
};

/* keys: "" for none, or several with spaces between them. */
struct sealed_stage *sealed_stage_open(const char *keys);
void sealed_stage_serve(struct sealed_stage *s, const char *keys);     /* ends what is served, and serves anew */
void sealed_stage_configure(struct sealed_stage *s, const char *keys); /* for what is run or served from now on */
void sealed_stage_close(struct sealed_stage *s);

/* Asks, and fails the test where the answer has another status. */
void sealed_stage_expect(struct sealed_stage *s, long status, const char *method, const char *path, const char *body);

const char *sealed_stage_subscribe(struct sealed_stage *s, const char *name); /* its id, in the scene's arena */

/* An event; the same, and that it comes to a subscription's target with its secrets, as the count-th request. */
void sealed_stage_emit(struct sealed_stage *s, const char *id);
void sealed_stage_delivered(struct sealed_stage *s, const char *event, size_t count);

/* Runs crier with the words; its exit code. Fails the test where it does not say that. */
int sealed_stage_crier(struct sealed_stage *s, const char *says, const char *const words[]);
#define CRIER(s, says, ...) sealed_stage_crier(s, says, (const char *const[]){__VA_ARGS__, NULL})

#endif
