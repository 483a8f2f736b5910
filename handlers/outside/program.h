/*
 * handlers/outside/program.h - a program of the operator's beside crier: started without a shell, ended for certain.
 *
 * It runs in a process group of its own, with the variables it was given and no others, every signal as it is by
 * default, and no file of crier's but the three pipes; and with everything it starts within limits, where such are set.
 */
#ifndef HANDLERS_OUTSIDE_PROGRAM_H
#define HANDLERS_OUTSIDE_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"

/* All lent. */
struct program_options {
    char *const *arguments;   /* the first is the path of the program; NULL-ended, as what follows */
    char *const *environment; /* "NAME=value" */
    const char *directory;    /* that it runs in; "": crier's */

    /* Of each of its processes; 0: as for crier. */
    int64_t memory_bytes, open_files, cpu_s;
};

struct program {
    struct program_options options;
    pid_t pid;                  /* 0: it does not run */
    int input, output, errors;  /* our ends of its pipes, which do not block; -1: closed */
    struct buf line, complaint; /* the beginnings of what it has not yet said whole */
    char how[60];               /* how it ended last, for people */
    struct program *next;       /* of those that run */
};

void program_init(struct program *p, const struct program_options *options);
void program_release(struct program *p); /* ends it */

/* Nothing where it runs already. ERROR_AGAIN: it cannot be run, with what and the system's word. */
bool program_start(struct program *p, struct error *err) must_check;

/* Whether it came to its end by itself; it is cleared away then. */
bool program_has_ended(struct program *p);

/*
 * Closes its input and waits so long for it to end; then it is asked to (SIGTERM), and, somewhat later, not asked
 * (SIGKILL), with all that it started.
 */
void program_end(struct program *p, int wait_ms);

/*
 * Before this process ends, or becomes another, with threads still at work: all programs end at once, with all that
 * they started. Threads that would start one, or would see that theirs has ended, get no further from here on: what it
 * did not answer is not held against an event.
 */
void programs_cut_off(void);

#endif
