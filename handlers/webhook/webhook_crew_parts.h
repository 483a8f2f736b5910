/* handlers/webhook/webhook_crew_parts.h - what a crew consists of, for webhook_crew.c, webhook_round.c, webhook_seat.c.
 */
#ifndef HANDLERS_WEBHOOK_WEBHOOK_CREW_PARTS_H
#define HANDLERS_WEBHOOK_WEBHOOK_CREW_PARTS_H

#include <pthread.h>

#include "base/counters.h"
#include "handlers/delivery/delivery_round.h"
#include "handlers/webhook/post_loop.h"
#include "handlers/webhook/webhook_crew.h"
#include "handlers/webhook/webhook_sender.h"
#include "handlers/webhook/webhook_store.h"

enum {
    MOVES_MOST = 256,   /* of one round trip */
    LOOK_MS_MOST = 500, /* between two looks at a target */
};

/* A delivery on its way: claimed, then sent, then answered, until what came of it is in Redis. */
struct errand {
    struct webhook_seat *seat;
    struct arena *arena;
    struct delivery_claim claim;
    struct webhook_answer answer;
    int64_t started_us, started_ms;
    bool lettered; /* the dead letter is written */
    struct errand *next;
};

struct webhook_seat {
    struct webhook_crew *crew;
    const struct webhook_target *target;
    struct webhook_store *store;
    struct counter *done, *failed, *dead, *blocked, *percent;
    bool woken, leaving, gone; /* under the crew's mutex */
    size_t under_way;          /* the thread's, as the rest */
    int warned;                /* percent of its last warning from here; 0: none */
    int64_t look_ms;           /* when to look for what is due, on the monotonic clock */
    struct webhook_seat *next;
};

struct webhook_crew {
    const struct settings *settings;
    struct address_guard *guard;
    struct redis *redis;
    struct post_loop *loop;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t left;
    bool has_thread, stop;          /* under the mutex, as arriving */
    struct webhook_seat *arriving;  /* not yet known to the thread */
    struct webhook_seat *seats;     /* the thread's, as all that follows */
    struct errand *answered, *idle; /* answered: not yet settled */
    size_t under_way, most, idle_count;
    int64_t pause_until_ms;
    struct delivery_move moves[MOVES_MOST];
    struct errand *moved[MOVES_MOST];
};

/* ---- webhook_crew.c: errands ---- */
struct errand *errand_new(struct webhook_crew *c, struct webhook_seat *seat);
void errand_rest(struct webhook_crew *c, struct errand *e); /* it was not begun */
void errand_begin(struct webhook_crew *c, struct errand *e);
void errand_end(struct webhook_crew *c, struct errand *e);

/* ---- webhook_round.c: what was answered and what is due, through Redis ---- */

/* Whether there was anything to do, and Redis did it. claims: new ones may begin. */
bool webhook_round(struct webhook_crew *c, bool claims);

/* Whether one more of it may be under way. */
bool webhook_seat_has_room(const struct webhook_crew *c, const struct webhook_seat *seat);

/* ---- webhook_seat.c: under the mutex ---- */
void webhook_seats_look_round(struct webhook_crew *c); /* who came, who was woken, who may go */
void webhook_seats_clear(struct webhook_crew *c);      /* none is served any more */

#endif
