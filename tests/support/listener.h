/*
 * tests/support/listener.h - who reads a stream of Server-Sent Events in a thread of its own, and comes back with the
 * id that it heard last, as a browser's EventSource does, but also where it was refused.
 */
#ifndef TESTS_SUPPORT_LISTENER_H
#define TESTS_SUPPORT_LISTENER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { LISTENER_IDS_MOST = 1000, LISTENER_ID_ROOM = 48 };

struct listener {
    pthread_t thread;
    pthread_mutex_t mutex; /* over what follows, once it has begun */
    char url[200], authorization[200];
    bool slow, deaf; /* reads little at a time; reads nothing */
    char last[LISTENER_ID_ROOM];
    struct buf line, data; /* data: all that was heard, a line each */
    char ids[LISTENER_IDS_MOST][LISTENER_ID_ROOM];
    size_t count;            /* of ids with data */
    size_t opened, comments; /* answers that began; lines that only say that somebody is there */
    long status;             /* of the last answer that is over; 0: of none yet */
    char refused[300];       /* what was said with the last one that is no stream */
    bool over;
};

struct listener_options {
    int port;
    const char *path, *token; /* NULL: none */
    bool slow, deaf;
};

struct listener *listener_open(const struct listener_options *o);
void listener_close(struct listener *l);

/* How many results were heard so far. */
size_t listener_heard(struct listener *l);

/* Each waits for a minute at most, or fails the test. */
void listener_until_opened(struct listener *l); /* the head of an answer is there, and no more may be */
void listener_until_placed(struct listener *l); /* it was given an id to come back to */
void listener_until_heard(struct listener *l, size_t count);
void listener_until_comment(struct listener *l);
void listener_until_status(struct listener *l, long status);

#endif
