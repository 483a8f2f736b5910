/* tests/support/hub.h - the hub that reports are sent to: keeps what comes, answers as it is told. */
#ifndef TESTS_SUPPORT_HUB_H
#define TESTS_SUPPORT_HUB_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { HUB_REQUESTS_MOST = 16, HUB_ANSWERS_MOST = 4 };

struct hub_answer {
    int status, retry_after_s;
    const char *body; /* NULL: as DataCite's, with the id "hub-1" */
};

struct hub {
    int fd, port;
    pthread_t thread;
    pthread_mutex_t mutex;
    struct hub_answer answers[HUB_ANSWERS_MOST];
    size_t answer_count, request_count;
    char *heads[HUB_REQUESTS_MOST];
    size_t lengths[HUB_REQUESTS_MOST]; /* of the bodies */
    bool packed[HUB_REQUESTS_MOST];
};

void hub_start(struct hub *h);
void hub_stop(struct hub *h);

/* What it answers to each request in turn, the last to all that follow; what came before is forgotten. */
void hub_answers(struct hub *h, const struct hub_answer *answers, size_t count);

#endif
