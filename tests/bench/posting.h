/* tests/bench/posting.h - bodies that several connections post in turn, each one once. */
#ifndef BENCH_POSTING_H
#define BENCH_POSTING_H

#include <pthread.h>
#include <stddef.h>

#include "base/buf.h"

struct posting {
    const char *url, *content_type; /* lent */
    struct buf *bodies;             /* count of them, from xcalloc */
    size_t count, next;
    pthread_mutex_t mutex;
};

/* Returns the seconds it took. Any answer but success ends the program. At most 16 connections. */
double posting_send(struct posting *p, int connections);
void posting_release(struct posting *p); /* the bodies */

#endif
