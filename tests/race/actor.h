/*
 * tests/race/actor.h - processes in a nutshell: each runs from one request to the next, in the order the test decides.
 *
 * An actor stops before each request of its work (race/links.h) until it is told to go on. It has a stack of its own
 * and no thread: nobody else runs while it does, and a schedule is the same whenever its decisions are.
 */
#ifndef TESTS_RACE_ACTOR_H
#define TESTS_RACE_ACTOR_H

#include <stdbool.h>

struct actor;

struct actor *actor_new(const char *name);
void actor_free(struct actor *a); /* not while it works */
const char *actor_name(const struct actor *a);

/* Gives it work, which begins with the first actor_go. */
void actor_start(struct actor *a, void (*work)(void *context), void *context);
bool actor_works(const struct actor *a);

/* What it waits to do; valid until it goes on. */
const char *actor_next(const struct actor *a);

enum order {
    ORDER_GO,
    ORDER_CUT_BEFORE, /* the process is killed: this request and all that follow fail, without any effect */
    ORDER_CUT_AFTER,  /* this one is carried out still, and its reply lost */
};

/* Lets it go on to its next request or to the end of its work, and returns then. */
void actor_go(struct actor *a, enum order order);

/* Whether the process it stands for was killed in the work it does or did last. */
bool actor_was_cut(const struct actor *a);

/* For race/links.c, in an actor's work: waits for the order. Elsewhere: ORDER_GO at once. */
enum order actor_stop(const char *what);

/* The actor that runs; NULL: none. */
struct actor *actor_self(void);

#endif
