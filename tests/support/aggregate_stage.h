/*
 * tests/support/aggregate_stage.h - views as documents in OpenSearch with their marks in Redis, aggregations of every
 * interval over them ("day", "hour", "month", "year"; "all" metrics, a copied "label", "small" pages), and "totals",
 * the handler of type record-stats that reads "day". All are in the queue q.
 */
#ifndef TESTS_SUPPORT_AGGREGATE_STAGE_H
#define TESTS_SUPPORT_AGGREGATE_STAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handlers/handler.h"
#include "support/scene.h"

#define EVENTS "events-stats-view" /* alias of all views */

/* A run as a handler sees it: it may go on so many times; negative: for ever. */
struct turn {
    struct clock_run run;
    atomic_int goes_on;
    bool dies;             /* instead of being refused */
    struct scene *empties; /* the Redis of this one is emptied when the run first asks; NULL: none */
    atomic_int_least64_t items;
};

struct view {
    const char *time, *key, *session;
    double size;
    const char *more; /* further members, or NULL */
};

/* For cmocka: *state is a struct scene. Each aggregation has begun already: what is computed was marked. */
int aggregate_stage_open(void **state);
int aggregate_stage_close(void **state);

/* Documents as the handler of type statistics writes them, and their marks. */
void views_happen(struct scene *s, const struct view *views, size_t count);
void many_views_happen(struct scene *s, const char *day, int keys); /* one each, of ui_k0000 and so on */
void forget_views(struct scene *s, const char *recid);              /* the documents; nothing is marked */
void mark_view(struct scene *s, const char *handler, const char *time, const char *key);

/* A run; items: keys that were done. */
bool try_aggregation(struct scene *s, const char *handler, struct turn turn, int64_t *items, struct error *err);
int64_t run_aggregation(struct scene *s, const char *handler); /* must go well; returns items */
int64_t aggregation_marks(struct scene *s, const char *handler);

/* Compares all but the time of computing, which must be there in its usual form. */
void aggregate_is(struct scene *s, const char *index, const char *id, const char *expected);
int64_t aggregate_count(struct scene *s, const char *index, const char *id); /* 0: there is none */

#endif
