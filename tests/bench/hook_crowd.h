/*
 * tests/bench/hook_crowd.h - many targets of webhooks in one thread, each with a loopback address of its own, all on
 * one port. They answer 204 at once and note for each event and target how often it came, with which id, and how late.
 */
#ifndef BENCH_HOOK_CROWD_H
#define BENCH_HOOK_CROWD_H

#include <stddef.h>
#include <stdint.h>

struct hook_crowd;

/* At 127.0.1.1, 127.0.1.2 ...: at most 250. Events have numbers below events_most. */
struct hook_crowd *hook_crowd_start(size_t targets, size_t events_most);
void hook_crowd_free(struct hook_crowd *c);
int hook_crowd_port(const struct hook_crowd *c);

/* What the data of an event must be, so that it is known again. */
#define HOOK_CROWD_DATA "{\"number\":%zu,\"made_us\":%lld,\"title\":\"A record that was published just now\"}"

struct crowd_tally {
    size_t came, distinct;             /* requests; events and targets that had one */
    size_t other_ids;                  /* requests that came again with another webhook-id: must be 0 */
    double median_ms, p99_ms, most_ms; /* from made_us to the first request, of events from number first on */
};
struct crowd_tally hook_crowd_tally(struct hook_crowd *c, size_t first, size_t end);

#endif
