/*
 * base/progress.h - how far long work has come: a bar with rate and ETA on a terminal, else a plain line every 10 s.
 *
 * Written to standard error, so that results stay apart.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "events" */
    int64_t total;    /* 0: not known */
    int64_t done;
    int64_t started_ms, shown_ms;
    bool terminal, quiet;
};

void progress_start(struct progress *p, const char *what, int64_t total, bool quiet);
void progress_add(struct progress *p, int64_t more);
void progress_end(struct progress *p);

#endif
