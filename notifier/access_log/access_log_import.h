/*
 * notifier/access_log/access_log_import.h - access logs into events, through the intake: each line once, however often
 * and under whatever names its file is given.
 *
 * After each batch that Redis has, how far it came is kept there, too (access_log_past.h). A run that was killed
 * between the two repeats at most that batch: its events have the ids they had, and within the two days that salts live
 * also the visitors, so that they count once. Where the id of an event comes from its visitor, a batch repeated later
 * than that counts twice.
 */
#ifndef NOTIFIER_ACCESS_LOG_ACCESS_LOG_IMPORT_H
#define NOTIFIER_ACCESS_LOG_ACCESS_LOG_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/progress.h"
#include "config/settings.h"
#include "notifier/intake.h"

enum { IMPORT_NAMED_MOST = 10 };

struct import_options {
    const struct settings *settings;
    bool dry_run;              /* nothing reaches Redis; what was imported before is looked up all the same */
    bool again;                /* also what was imported before */
    int64_t backlog_most;      /* so many events may wait in a queue before it pauses */
    struct progress *progress; /* in bytes of the files; lent */
};

/* Each is of what was settled: a batch that has to be sent again counts once. */
struct import_counts {
    int64_t lines, events;
    int64_t outcomes[INTAKE_UNAVAILABLE + 1];
    int64_t unreadable;   /* lines that are not of the form */
    int64_t unfinished;   /* files whose last line has no end yet: it was left for the next time */
    int64_t known_bytes;  /* of content that was imported before */
    struct import_named { /* the first lines that were unreadable or refused */
        const char *path;
        int64_t line;
        char reason[120];
    } named[IMPORT_NAMED_MOST];
    size_t named_count;
};

struct import;

struct import *import_new(const struct import_options *o, struct error *err) must_check; /* NULL: ERROR_CONFIG */
void import_free(struct import *im);

/* The time of the first line that has one, 0: none has. Files are to be imported in that order. ERROR_INPUT. */
bool import_first_time(struct import *im, const char *path, int64_t *us, struct error *err) must_check;

/*
 * All of a file, "-" for standard input, that was not imported before. Once Redis was reached, outages are waited for,
 * but not for standard input, which cannot be read from its beginning again. ERROR_AGAIN, ERROR_INPUT.
 */
bool import_file(struct import *im, const char *path, struct error *err) must_check;

const struct import_counts *import_counts(const struct import *im);

#endif
