/*
 * tests/race/crew.h - crier in a schedule: two processes that work events off, and the run by the clock of a third.
 *
 * Each is the production handler at work in an actor of its own (race/actor.h). One that is killed loses all it had in
 * memory, and the events it had in hand come again.
 */
#ifndef TESTS_RACE_CREW_H
#define TESTS_RACE_CREW_H

#include <stdbool.h>

#include "handlers/handler.h"
#include "race/actor.h"
#include "race/platform.h"

enum { WORKERS = 2, CREW = WORKERS + 1, BATCH_MOST = 3 };

struct crew_member {
    struct crew *crew;
    struct actor *actor;
    struct handler *handler;
    struct arena *arena;
    struct batch batch;
    size_t held[BATCH_MOST]; /* changes in hand */
    bool by_clock, ok;
    struct error err;
    long waits_since, sleeps_until; /* turns */
    bool slept;                     /* in this work */
};

struct crew {
    struct platform *platform;
    struct trace *trace;
    const struct settings *settings;
    const struct handler_settings *handler;
    struct crew_member members[CREW];
    int kills;
};

/* The actors are lent. Fails the test's process where a handler cannot be made. */
void crew_begin(struct crew *c, const struct settings *s, const char *handler, struct actor *const actors[CREW]);
void crew_end(struct crew *c);

/* Whether the handler is one that the clock runs, too. */
bool crew_has_clock(const struct crew *c);

/* How many events wait for a worker; with held, also those that are in the hand of one that is slow. */
size_t crew_waiting(const struct crew *c, bool held);

/* Begins a pass over some of the events that wait, or a run by the clock. */
void crew_start(struct crew *c, size_t member, bool held);

/* Goes on to the next request; at the end of its work the events are settled. */
void crew_go(struct crew *c, size_t member, enum order order);

#endif
