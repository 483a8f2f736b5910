/*
 * tests/race/platform.h - the platform beside crier: its database, what it tells of changes, and its own indexing.
 *
 * Subjects change and are told of by events. Dependents hold copies of subjects; a task of the platform dumps one as
 * the database is at that moment, and lands in OpenSearch some time later: whole, at the dependent's own version, with
 * external_gte.
 */
#ifndef TESTS_RACE_PLATFORM_H
#define TESTS_RACE_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handlers/relation/relation.h"
#include "indexer/client.h"
#include "race/choice.h"
#include "race/trace.h"

enum {
    SUBJECTS_MOST = 3,
    DEPENDENTS_MOST = 4,
    SUBJECTS_A_DEPENDENT = 2,
    TASKS_MOST = 16,
    CHANGES_MOST = 32,
    NAME_BYTES = 32,
};

/* How dependents hold copies; goes with a handler's section. */
struct shape {
    const char *field; /* where they lie */
    enum on_delete on_delete;
    bool uuid;        /* revisions are UUID::REVISION, a subject's id goes for its uuid */
    bool no_revision; /* neither copies nor events have one: what happened later counts */
    bool own;         /* OpenSearch counts the documents' versions: dumps are the only writes beside crier's */
};

struct subject_row {
    char id[NAME_BYTES];
    int64_t revision;
    bool deleted;
};

struct dependent_row {
    char id[NAME_BYTES];
    int64_t version;
    bool exists, in_array;
    size_t subjects[SUBJECTS_A_DEPENDENT], subject_count;
};

/* A dump on its way. */
struct task {
    bool used;
    size_t dependent;
    char *line; /* of a bulk */
    long taken; /* the turn */
    int landings;
};

/* An event. */
struct change {
    size_t subject;
    int64_t revision, time_us;
    bool deleted, done;
    int holders; /* workers that have it in hand */
};

struct platform {
    struct client *client;
    struct trace *trace;
    struct choice *choice;
    const char *index;
    const struct shape *shape;
    bool fixed_rows;           /* the same ones every time */
    bool pairs;                /* dependents of two subjects, where there are two */
    bool lands_at_once;        /* a dump is written as soon as it is taken */
    bool same_version_deletes; /* a deletion has the version of what it deletes */
    struct subject_row subjects[SUBJECTS_MOST];
    struct dependent_row dependents[DEPENDENTS_MOST];
    struct task tasks[TASKS_MOST];
    struct change changes[CHANGES_MOST];
    size_t subject_count, dependent_count, change_count;
};

/* Rows by choice, all of them in the index and visible; run: makes the ids those of no other schedule. */
void platform_begin(struct platform *p, long run, size_t subjects, size_t dependents);
void platform_end(struct platform *p);

/* One change by choice, of whatever kind: a subject, a dependent, or a dump without any. */
void platform_change(struct platform *p);

void platform_change_subject(struct platform *p, size_t subject);
void platform_dump(struct platform *p, size_t dependent);

/* The task's write; it may come once more. */
void platform_land(struct platform *p, size_t task);
size_t platform_tasks(const struct platform *p);

void platform_refresh(struct platform *p);

/* The name that a subject has at a revision. */
void platform_name(const struct subject_row *s, int64_t revision, char out[NAME_BYTES]);

#endif
