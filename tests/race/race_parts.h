/* tests/race/race_parts.h - for race.c and race_moves.c: a schedule under way. */
#ifndef TESTS_RACE_RACE_PARTS_H
#define TESTS_RACE_RACE_PARTS_H

#include "race/crew.h"
#include "race/race.h"
#include "support/scene.h"

enum {
    HANDLERS = 7,       /* in the ini, each with and without second look */
    SECOND_LOOK_S = 45, /* as there */
};

struct race {
    struct scene *scene;
    struct model *model; /* NULL: the real one */
    char index[100];
    struct client *client; /* the platform's */
    struct actor *actors[CREW];
    struct crew crews[HANDLERS][2]; /* the second is strict */
    struct crew *crew;              /* of this schedule */
    struct platform platform;
    struct trace trace;
    const struct race_plan *plan;
    struct choice *choice;
    int changes_left;
    int refreshes_left, clocks_left, switches_left; /* where every order is tried */
    size_t ran_last;                                /* likewise: the member of the crew */
    long run, requests;
    int64_t now_us;
};

/* One thing happens, by choice. */
void race_turn(struct race *r);

/* Whether nothing is left but what the clock may do of itself. */
bool race_is_at_rest(const struct race *r);

void race_pass_time(struct race *r, int64_t seconds);

#endif
