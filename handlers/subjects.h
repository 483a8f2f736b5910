/*
 * handlers/subjects.h - the subjects of a batch, each once: however many events speak of it, the newest counts.
 */
#ifndef HANDLERS_SUBJECTS_H
#define HANDLERS_SUBJECTS_H

#include <stddef.h>

#include "handlers/copy.h"
#include "notifier/batch.h"

struct subject_entry {
    struct subject subject;
    const struct event *newest;
    json_t *data; /* owned */
    bool usable;  /* there is something to spread, whatever becomes of it in one document */
    enum outcome outcome;
    const char *reason, *reply;
};

struct subjects {
    struct batch *batch;
    struct subject_entry *items;
    size_t count;
    size_t *slots, slot_count; /* open addressing by id; holds index + 1 */
    size_t *of_delivery;       /* the entry of each delivery that has no outcome yet */
};

/* deleted: patterns of event types that mean the subject is gone. Memory is the batch's, but for the data. */
void subjects_collect(struct subjects *s, struct batch *in, const char *deleted);

/* Parses the data of the newest event of each; what cannot be used is marked OUTCOME_DEAD. */
void subjects_read(struct subjects *s, const struct copy_rule *rule);

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
