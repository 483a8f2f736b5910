/*
 * handlers/outside/talk.h - lines to a program and lines from it, at the same time and within limits.
 */
#ifndef HANDLERS_OUTSIDE_TALK_H
#define HANDLERS_OUTSIDE_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "handlers/outside/program.h"

enum { TALK_LINE_BYTES_MOST = 64 * 1024 };

enum talk_end {
    TALK_ALL,    /* everything was said */
    TALK_ENDED,  /* the program ended, or closed its output */
    TALK_SILENT, /* nothing of use came for so long */
    TALK_LATE,   /* the time for all of it is over */
    TALK_FLOOD,  /* it said more than it may, or one line that is too long */
};

/* What came of a line. */
enum talk_line { TALK_OF_NO_USE, TALK_OF_USE, TALK_WAS_LAST };

struct talk {
    const char *input; /* lent */
    size_t length;
    bool close;         /* the program's input ends there */
    size_t output_most; /* bytes of all its lines */
    int64_t silence_ms, until_ms;
    enum talk_line (*on_line)(void *context, struct span line); /* without its end; never an empty one */
    void (*on_complaint)(void *context, struct span line);      /* from its standard error */
    void *context;
};

/* The program runs, and runs on unless it ended by itself: then it is cleared away. */
enum talk_end talk_with(struct program *p, const struct talk *t);

#endif
