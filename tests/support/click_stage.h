/*
 * tests/support/click_stage.h - clicks of visitors on records, the workers that handle them, and the model of which
 * count (COUNTER 5.1): those that no other of that visitor on that record follows within 30 s.
 */
#ifndef TESTS_SUPPORT_CLICK_STAGE_H
#define TESTS_SUPPORT_CLICK_STAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "support/fault_proxy.h"
#include "support/scene.h"

enum { CLICKS_MOST = 4000, LANES = 4, PATIENCE_MS = 120000 };

#define SECOND_US INT64_C(1000000)
#define START_US  INT64_C(1795132740000000) /* 2026-11-19T23:59:00Z: the day ends among the clicks */

struct made_click {
    char id[20];
    int visitor, record;
    int64_t time_us;
};

struct click_stage {
    struct scene *scene;
    struct fault_proxy *proxy; /* before OpenSearch; NULL: none */
    struct made_click clicks[CLICKS_MOST];
    size_t count;
    unsigned seed; /* CRIER_SEED, or by chance */
};

/* For cmocka: *state is a struct click_stage, with a handler "views" of type statistics and "views-agg" that reads it.
 */
int click_stage_open(void **state);
int click_stage_open_with_proxy(void **state);
int click_stage_close(void **state);

int click_stage_below(struct click_stage *st, int limit); /* by chance */

void click_stage_add(struct click_stage *st, int visitor, int record, int64_t time_us);
struct event click_stage_event(struct click_stage *st, const struct made_click *c);

/* Into the stream: those clicks, by their numbers (NULL: as they were added). */
void click_stage_append(struct click_stage *st, const size_t *order, size_t count);
void click_stage_append_all(struct click_stage *st);
void click_stage_forget_seen(struct click_stage *st);   /* as if their window had passed */
void click_stage_forget_clicks(struct click_stage *st); /* as if their lateness had */

/* Each fails the test where it is not so: all documents are there, and those count that the model says. */
void click_stage_check(struct click_stage *st);

/* COUNTER's numbers: all that count, and once per visitor and record (the sessions here are the visitors). */
void click_stage_totals_are(struct click_stage *st, size_t total, size_t unique);

/* Lanes as two processes would have them, each with links of its own. */
struct click_worker {
    struct click_crew *crew;
    struct lane *lane;
    pthread_t thread;
};

struct click_crew {
    struct click_worker workers[LANES];
    atomic_bool end;
};

void click_crew_start(struct click_crew *crew, struct click_stage *st);
void click_crew_end(struct click_crew *crew);

/* Until the handler is done with every event. */
void click_stage_wait(struct click_stage *st);

#endif
