/*
 * tests/bench/plain_loops.h - what handing events on is compared with: loops over two links that only read and
 * acknowledge, only post, or only pipe.
 */
#ifndef BENCH_PLAIN_LOOPS_H
#define BENCH_PLAIN_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/settings.h"

struct plain_cost {
    int64_t took_us, cpu_us; /* cpu_us: of all links */
};

/* What is in the queue q, as the group "plain". */
struct plain_cost plain_read(const struct settings *s);

struct plain_cost plain_post(const char *url, const struct buf *bodies, size_t count);

/* To this very program, called with the word "answer". Each of count: the lines of LOAD_TOGETHER events. */
struct plain_cost plain_pipe(const struct buf *lines, size_t count);

#endif
