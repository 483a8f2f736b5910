/* tests/bench/outcomes.h - an endpoint and a program that say of every event that it is done. */
#ifndef BENCH_OUTCOMES_H
#define BENCH_OUTCOMES_H

#include <stddef.h>

#include "base/buf.h"

/* The answer to a batch of CloudEvents as crier writes them. */
void outcomes_add(const char *body, size_t length, struct buf *out);

/* Reads lines of events and writes as many answers, whenever what was read is through, to the end of the input. Returns
 * the exit code. */
int outcomes_answer(void);

#endif
