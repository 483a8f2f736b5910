/*
 * tests/support/service_stage.h - a configuration with a bit of everything, and the real servers it speaks with: for
 * what the service does itself, and the audit entries of it.
 */
#ifndef TESTS_SUPPORT_SERVICE_STAGE_H
#define TESTS_SUPPORT_SERVICE_STAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "support/hook_server.h"
#include "support/postgres_server.h"
#include "support/report_stage.h"
#include "support/scene.h"

struct service_stage {
    struct scene *scene;
    struct server *postgres_server, *mail_server;
    struct hook_server *target;
    struct postgres *link;       /* the platform's */
    struct report_stage *report; /* with a Redis and a configuration of its own */
    struct server *serve;        /* NULL: not running */
    bool tokens_known;           /* to it */
    char subscription[40], token[100], token_id[40];
};

struct service_stage *service_stage_open(void);
void service_stage_close(struct service_stage *s);

/* Runs crier with words, NULL-ended, and fails the test where it ends otherwise; what it said, in the scene's arena. */
const char *service_stage_say(struct service_stage *s, int code, const char *const words[]);
#define SAY(s, code, ...) service_stage_say(s, code, (const char *const[]){__VA_ARGS__, NULL})

/* Begins, gets a signal, and is ended by it: once the stream has an event of that type. */
void service_stage_interrupt(struct service_stage *s, const char *type, const char *const words[]);

/* The newest entry of an action with that outcome (NULL: any) and how many there are; NULL where there is none. Yours.
 */
json_t *service_stage_entry(struct service_stage *s, const char *action, const char *outcome, int64_t *count);

/* `crier serve`, where it does not run yet; and its end. */
void service_stage_serve(struct service_stage *s);
void service_stage_halt(struct service_stage *s);

/* A request to it with the stage's token; fails the test where the answer has another status. The body, in the arena.
 */
const char *service_stage_ask(struct service_stage *s, const char *method, const char *path, const char *body,
                              long status);

/* An event of that type, for all that take it, as old as that. */
void service_stage_emit(struct service_stage *s, const char *type, int days_ago);

const char *service_stage_url(struct service_stage *s); /* of the target, in the arena */

/* Where the preferences of mails are kept is something else: Redis refuses to write them; until it is mended. */
void service_stage_spoil_preferences(struct service_stage *s);
void service_stage_mend_preferences(struct service_stage *s);

/* Between two looks at what is waited for; fails the test where it is too late (clock_monotonic_ms). */
void service_stage_look_again(int64_t until_ms, const char *what);

/* Lines at the end of the configuration. */
void service_stage_configure(struct service_stage *s, const char *lines);

#endif
