/*
 * tests/race/choice.h - what happens next: drawn from a seed, or every possibility in turn.
 */
#ifndef TESTS_RACE_CHOICE_H
#define TESTS_RACE_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct choice;

/* The same seed draws the same numbers. */
struct choice *choice_new(uint64_t seed);

/* Every sequence of choices, one a run, depth first: begin with choice_all, go on while choice_next says so. */
struct choice *choice_all(void);
bool choice_next(struct choice *c);
void choice_free(struct choice *c);

/* Below n, which is at least 1. */
size_t choose(struct choice *c, size_t n);

/* One of n that has a weight, as often as its weight says; all of them alike where every possibility is tried. */
size_t choose_weighted(struct choice *c, const unsigned *weights, size_t n);

/* True once in n draws; never where every possibility is tried. */
bool chance(struct choice *c, size_t n);

#endif
