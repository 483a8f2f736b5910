/*
 * handlers/subjects.h - the subjects of a batch, each once: however many events speak of it, the newest counts.
 */
#ifndef HANDLERS_SUBJECTS_H
#define HANDLERS_SUBJECTS_H

#include <stddef.h>

#include "base/span_table.h"
#include "handlers/relation/relation.h"
#include "notifier/batch.h"

struct subject_entry {
    struct subject subject;
    const struct event *newest;
    json_t *data;           /* owned */
    const char *unreadable; /* why there is no data */
    bool usable;            /* there is something to spread, whatever becomes of it in one document */
    bool matters;           /* one of its events can concern a copy */
    enum outcome outcome;
    const char *reason, *reply;
};

struct subjects {
    struct batch *batch;
    const char *deleted; /* patterns */
    struct subject_entry *items;
    size_t count;
    struct span_table by_id;
    size_t *of_delivery; /* the entry of each delivery that has no outcome yet */
};

/* deleted: patterns of event types that mean the subject is gone. Memory is the batch's, but for the data. */
void subjects_collect(struct subjects *s, struct batch *in, const char *deleted);

/*
 * The content of each: of its newest event, or what the source (not NULL) has now, whose version is the revision then.
 * An event that cannot be used is marked OUTCOME_DEAD, and the one before it counts; what the source has not, or not
 * yet, OUTCOME_RETRY; what concerns no copy (by only_when, or gone and its copies kept) OUTCOME_DONE. A subject that an
 * event says is gone, and the source has at a later revision, is there again. False (ERROR_AGAIN): the source is away.
 */
struct source;
bool subjects_read(struct subjects *s, const struct relation *relation, struct source *source,
                   struct error *err) must_check;

struct subject_entry *subjects_find(const struct subjects *s, struct span id);

/*
 * What time can help goes first, and the rest shows again then: wait, retry, dead, done. reason and reply are copied.
 */
void subject_set(struct subjects *s, struct subject_entry *entry, enum outcome outcome, const char *reason,
                 const char *reply);

/* Hands each entry's outcome to its deliveries. */
void subjects_settle(struct subjects *s);

void subjects_release(struct subjects *s);

#endif
