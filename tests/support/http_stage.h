/* tests/support/http_stage.h - a listening socket that notes what comes and answers what a test wants, and a link to
 * it. */
#ifndef TESTS_SUPPORT_HTTP_STAGE_H
#define TESTS_SUPPORT_HTTP_STAGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/http.h"
#include "support/message.h"

enum { CONNECT_MS = 3000, PATIENCE_MS = 20000 };

enum then { THEN_READ_ON, THEN_CLOSE, THEN_WAIT };

struct http_stage {
    struct http *http;
    struct http_reply reply;
    struct error err;
    pthread_t thread;
    pthread_mutex_t mutex; /* for the rest */
    int listener, port, connections;
    const char *answer; /* to each request */
    size_t answer_length;
    enum then then;
    struct message request; /* the last one */
    char url[80];
};

/* For cmocka: *state is a struct http_stage. */
int http_stage_open(void **state);
int http_stage_close(void **state);

void http_stage_answer(struct http_stage *f, const char *text, enum then then); /* text is lent */
void http_stage_stop(struct http_stage *f); /* nobody listens any more, and the link is closed */
bool http_stage_post(struct http_stage *f, const char *body);

#endif
