/*
 * base/chart.h - bars beside their labels, for a terminal: in eighths of a character where it shows them, else in '#'.
 */
#ifndef BASE_CHART_H
#define BASE_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

struct bar {
    const char *label; /* escaped for the terminal */
    int64_t value;
};

/* As wide as said, a line for each bar; the longest fills it. */
void chart_add(struct buf *out, const struct bar *bars, size_t count, size_t width, bool blocks);

/* The same for what out is: a terminal has its own width, and blocks where its locale is UTF-8. */
void chart_write(FILE *out, const struct bar *bars, size_t count);

#endif
