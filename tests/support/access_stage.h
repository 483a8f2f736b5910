/*
 * tests/support/access_stage.h - a door that asks who may do what, with pages of several scopes, and tokens made by
 * crier's own verb.
 */
#ifndef TESTS_SUPPORT_ACCESS_STAGE_H
#define TESTS_SUPPORT_ACCESS_STAGE_H

#include "support/door_client.h"

/* Pages: /health/live for all, /metrics for metrics:read, /things/ (GET, DELETE) for audit:read, which says who asked.
 */
struct access_stage {
    struct door_client client;
    struct door_page pages[4];
    char config[300];
};

/* For cmocka: *state is a struct access_stage. access = tokens; loopback; loopback, while all addresses are served. */
int access_stage_open_tokens(void **state);
int access_stage_open_loopback(void **state);
int access_stage_open_everywhere(void **state);
int access_stage_close(void **state);

/* Runs `crier tokens` with the words, NULL where there are fewer, and wants that exit code. What it says is yours. */
char *access_tokens(struct access_stage *s, int status, const char *a, const char *b, const char *c, const char *d,
                    const char *e, const char *f);

char *access_token(struct access_stage *s, const char *name, const char *scopes, const char *events); /* yours */

/* Asks the door; token and body may be NULL. Returns the status. */
long access_ask(struct access_stage *s, const char *method, const char *path, const char *token, const char *body);

/* A change counts within a second: asks until it is so. */
void access_becomes(struct access_stage *s, long status, const char *method, const char *path, const char *token,
                    const char *body);

#endif
