/*
 * tests/race/race.h - schedules: who does what when is chosen request by request, and in the end every copy must equal
 * its subject.
 *
 * In a schedule a turn is a second. A dump of the platform lands within 40 turns, a process of crier sleeps for 12 at
 * most between two requests; the second look comes 45 s after a change: that is later, as an operator has to set it.
 */
#ifndef TESTS_RACE_RACE_H
#define TESTS_RACE_RACE_H

#include <stdbool.h>

#include "race/choice.h"
#include "race/model.h"

struct race;

/* On the model, or on the OpenSearch of the tests. */
struct race *race_open(bool on_model);
void race_close(struct race *r);

/* What may happen. But for the first, every order of it is meant to be tried (choice_all). */
enum scenario {
    SCENARIO_ANY,   /* changes by choice, kills, slow processes */
    SCENARIO_SMALL, /* one worker; a dump lands that was taken before the subject changed; a refresh */
    SCENARIO_DUEL,  /* a worker, and the second look at another subject of the same document: its copy is stale */
    SCENARIO_KILLS, /* a change is spread, and who does it is killed before or after any request */
};

struct race_plan {
    enum scenario scenario;
    size_t subjects, dependents;
    size_t handlers;           /* the first so many of those in race.c; 0: all */
    int changes;               /* of the platform */
    int kills;                 /* at most */
    int switches;              /* of every order: at most so many; 0: any number */
    bool pairs;                /* every dependent holds copies of two subjects, where there are two */
    bool strict;               /* no dump is stale, and no second look is taken: what crier does itself needs none */
    bool same_version_deletes; /* the platform deletes at the version of what it deletes */
    bool no_second_look;       /* for tests of the tests: the clock never comes */
    bool forgets;              /* likewise: Redis loses what crier keeps there, now and then */
};

/* Rows and changes by choice. */
struct race_plan race_any(struct choice *c);

/*
 * Likewise strict: one subject a dependent, as two processes may undo each other's in a document of two; but for
 * documents that OpenSearch counts the versions of.
 */
struct race_plan race_strict(struct choice *c);

/* One schedule. False: race_why, race_trace; until the next. */
bool race_run(struct race *r, struct choice *c, const struct race_plan *plan);
const char *race_why(const struct race *r);
const char *race_trace(const struct race *r);

/* NULL: it runs on the real one. */
struct model *race_model(struct race *r);

/* Requests of crier's that were carried out so far. */
long race_requests(const struct race *r);

#endif
