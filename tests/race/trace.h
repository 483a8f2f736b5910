/* tests/race/trace.h - what happened in a schedule, a line each, for whoever has to understand it. */
#ifndef TESTS_RACE_TRACE_H
#define TESTS_RACE_TRACE_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/buf.h"

struct trace {
    struct buf text;
    long turn;
    struct buf why; /* what is wrong; empty: nothing */
};

void trace_start(struct trace *t);
void trace_release(struct trace *t);
void trace_line(struct trace *t, const char *who, const char *format, ...) printf_like(3, 4);

/* The schedule failed; the first reason stays. Returns false. */
bool trace_wrong(struct trace *t, const char *format, ...) printf_like(2, 3);

#endif
