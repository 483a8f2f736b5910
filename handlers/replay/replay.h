/*
 * handlers/replay/replay.h - archived events, or those of a history, on their way through chosen handlers again.
 *
 * Events go into the queues of these handlers, marked as theirs alone, as they were prepared at the door: neither the
 * preparation nor what the queue remembers as seen stands in between. How far it came is kept in Redis after each
 * batch; a run that was killed goes on there, and sends at most one batch again, which does no harm: handlers can
 * repeat what they do. No file is read before each is as it was sealed.
 */
#ifndef HANDLERS_REPLAY_REPLAY_H
#define HANDLERS_REPLAY_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "handlers/handler.h"
#include "handlers/history/history_search.h"
#include "handlers/time_range.h"

enum { REPLAY_NAMED_MOST = 20, REPLAY_HANDLERS_MOST = 32 };

struct replay_options {
    const struct settings *settings;
    struct redis *redis;                            /* lent */
    const struct handler_settings *const *handlers; /* at most REPLAY_HANDLERS_MOST, as replay_takes allows them */
    size_t handler_count;
    const char *const *names; /* folders, files, "-"; see archive_files.h */
    size_t name_count;
    const struct history_place *history; /* instead of files; NULL: those */
    struct history_filter filter;        /* of a history: its id, actor and operation count, beside what follows */
    struct time_range range;             /* of the events' own time */
    const char *types;                   /* patterns; NULL: all */
    const char *subject;                 /* "users/42", or a kind with a star, for all of it; NULL: all */
    int64_t rate;                        /* events a second for each handler; 0: as fast as they are taken */
    int64_t backlog_most;                /* so many events may wait in a queue before it pauses */
    bool dry_run;                        /* counts only */
    bool resume;                         /* goes on where the same replay was cut off */
};

/* What was left out, and why. */
struct replay_named {
    char path[300], reason[200]; /* path: the file, or which event of a history */
    int64_t line;                /* 0: of a history */
};

struct replay_counts {
    int64_t files, lines;
    int64_t selected;                   /* events of the types, subject and time asked for */
    int64_t sent[REPLAY_HANDLERS_MOST]; /* by handler: those it asks for */
    int64_t unreadable;                 /* the first of them are named */
    int64_t resumed_at;                 /* the line it went on after, of a history the time in ms; 0: it began anew */
    struct replay_named named[REPLAY_NAMED_MOST];
};

/* Whether events can be sent to such a handler. ERROR_INPUT says why not. */
bool replay_takes(const struct handler_settings *hs, struct error *err) must_check;

struct replay;

/* Finds the files, or counts the events of the history. NULL: ERROR_INPUT, ERROR_AGAIN. Names and handlers are lent. */
struct replay *replay_new(const struct replay_options *o, struct error *err) must_check;
void replay_free(struct replay *r); /* NULL is fine */

/* The same for the same choice of files and events, as hexadecimal text. */
const char *replay_id(const struct replay *r);

/* How many events there are, for progress; 0: not known. */
int64_t replay_total(const struct replay *r);

/* Compares every file with its digest. ERROR_INPUT names the first that differs. */
bool replay_check(struct replay *r, struct clock_run *run, struct error *err) must_check;

/* Sends. False: a peer is away or a stop was wanted (ERROR_AGAIN), or a file cannot be read; resumed, it goes on. */
bool replay_run(struct replay *r, struct clock_run *run, struct error *err) must_check;

const struct replay_counts *replay_counts(const struct replay *r);

#endif
