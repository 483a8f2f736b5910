/*
 * tests/support/hook_server.h - a target of webhooks on loopback: it keeps what it is sent, and answers, or misbehaves.
 */
#ifndef TESTS_SUPPORT_HOOK_SERVER_H
#define TESTS_SUPPORT_HOOK_SERVER_H

#include <stddef.h>
#include <stdint.h>

struct hook_server;

enum hook_manner {
    HOOK_ANSWER,       /* with the text of hook_server_answer */
    HOOK_HANG,         /* takes the request and says nothing */
    HOOK_RESET,        /* ends the connection with a reset */
    HOOK_FLOOD,        /* a reply that never ends */
    HOOK_ENDLESS_HEAD, /* headers that never end */
};

struct hook_server *hook_server_start(const char *address); /* "127.0.0.1"; "::": any of both kinds */
void hook_server_free(struct hook_server *s);
int hook_server_port(const struct hook_server *s);

void hook_server_behave(struct hook_server *s, enum hook_manner manner);
void hook_server_answer(struct hook_server *s, const char *reply); /* all of it, head too; NULL: 200, no body */

/* What came so far. A request's head is all up to the empty line. */
size_t hook_server_connections(struct hook_server *s);
size_t hook_server_count(struct hook_server *s);
const char *hook_server_head(struct hook_server *s, size_t i);
const char *hook_server_body(struct hook_server *s, size_t i);
int64_t hook_server_at_us(struct hook_server *s, size_t i); /* when, by the wall clock */

/* A header's value; yours to free, NULL: it is not there. */
char *hook_server_header(struct hook_server *s, size_t i, const char *name);

/* Waits until so many came, or fails the test. */
void hook_server_await(struct hook_server *s, size_t count);

#endif
