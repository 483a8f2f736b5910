/*
 * handlers/webhook/resolver.h - the addresses of a host, asked for once and for a limited time.
 *
 * A name is asked for by one thread at a time, whoever wants it, and by no more than RESOLVER_THREADS_MOST all
 * together. One that did not answer in time counts as late for some minutes: those share few threads, so that they keep
 * none of the others from being asked for.
 */
#ifndef HANDLERS_WEBHOOK_RESOLVER_H
#define HANDLERS_WEBHOOK_RESOLVER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/attrs.h"
#include "base/error.h"

enum { ADDRESSES_MOST = 32, RESOLVER_THREADS_MOST = 128 };

struct addresses {
    struct sockaddr_storage items[ADDRESSES_MOST];
    size_t count;
};

/* What answers: the system's own (resolver_system), or a test's. ERROR_AGAIN: not found, or not in time. */
typedef bool (*resolver)(const char *host, int wait_ms, struct addresses *out, struct error *err);

/* A host with more addresses than ADDRESSES_MOST is refused, as all of them are to be looked at. */
bool resolver_system(const char *host, int wait_ms, struct addresses *out, struct error *err) must_check;

/* The same for those who do not wait: asked, and taken once. */
struct question;

/* wake: an eventfd that is written to once it is answered, from another thread; -1: none. */
struct question *resolver_ask(const char *host, int wake);
bool resolver_answered(struct question *q);

/* What was answered by now, which ends the question. */
bool resolver_take(struct question *q, struct addresses *out, struct error *err) must_check;

#endif
