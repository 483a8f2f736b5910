/*
 * tests/support/past.h - usage of some months as documents in OpenSearch, for what repairs and moves them; and crier
 * processes that die in the middle.
 */
#ifndef TESTS_SUPPORT_PAST_H
#define TESTS_SUPPORT_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "support/scene.h"

/* Views told apart by `clicks = cop51`, in events-views-%Y-%m, and their aggregates by day in stats-views-%Y-%m. */
extern const char past_ini[];

/* Templates and documents of 2026-08 to 2026-10, so many in each month; counted is true for all. */
void past_load(struct scene *s, int each_month);

/* A click more: its time as RFC 3339. */
void past_add_view(struct scene *s, const char *id, const char *time, const char *record, const char *visitor,
                   const char *more);

/* The documents of a name or pattern: "index id version source\n" each, sorted; without the index where it is NULL. */
char *past_dump(struct scene *s, const char *pattern, bool with_index);

/* Takes away indices and templates of the scene. */
void past_lose(struct scene *s);

/* Whether a concrete index, an alias of that name, or nothing is there. */
bool past_is_index(struct scene *s, const char *name);
bool past_is_alias(struct scene *s, const char *name);
bool past_is_blocked(struct scene *s, const char *name); /* it takes no writes */

/* Runs crier with the scene's configuration; its exit code, and in what it said the words wanted ("" for any). */
int past_crier(struct scene *s, const char *wanted, const char *const words[]);

/* The same, and kills it after so long: false where it ended before, by itself and well. */
bool past_crier_killed(struct scene *s, int after_ms, const char *const words[]);

/*
 * The same, and kills it at the message-th message (1: the first) between it and OpenSearch, which goes no further:
 * false where it ended before, by itself and well.
 */
bool past_crier_killed_at(struct scene *s, int64_t message, const char *const words[]);

/* The same once reached says so, asked every few milliseconds; fails the test where it ends before. */
void past_crier_killed_when(struct scene *s, bool (*reached)(struct scene *s), const char *const words[]);

/*
 * After a crier was killed: until what it asked OpenSearch for last is carried out. The next one, which takes its time
 * until the lease is free, does not meet that.
 */
void past_settle(struct scene *s);

#endif
