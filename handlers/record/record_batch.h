/*
 * handlers/record/record_batch.h - the documents a batch is about, each once: the newest event of each counts.
 *
 * Where the newest is refused for good, the one before it counts: records_pick is called until nothing is left.
 */
#ifndef HANDLERS_RECORD_RECORD_BATCH_H
#define HANDLERS_RECORD_RECORD_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span_table.h"
#include "handlers/record/record_options.h"
#include "notifier/batch.h"
#include "notifier/template.h"

/* A document, and what is to be done about it in this round. Memory is the batch's, but for the body. */
struct record {
    const char *index, *routing; /* routing NULL: by the id */
    struct span id, key;         /* key: index and id */
    struct delivery *newest;     /* NULL: all of its events are done */
    int64_t version;             /* VERSION_NONE: not known */
    bool gone;                   /* deleted at that version, else written */
    bool unborn;                 /* an event says that it is new, and the source does not have it yet */
    bool silent;                 /* of gone: nobody says so, the source only does not have it */
    bool found;                  /* the source has it */
    bool revived;                /* it was gone by silence, and is found at that very version */
    bool overtaken;              /* a deletion came by while it was written */
    struct span body;
    int64_t tombstone; /* as it was read first; TOMBSTONE_NONE */
    bool silent_stone; /* it was silent */
    size_t number;     /* in the bulk */
};

struct records {
    struct batch *batch;
    const char *deleted; /* patterns */
    struct record *items;
    size_t count;
    struct span_table by_key;
    size_t *of_delivery; /* the record of each delivery that has no outcome yet */
};

struct record_templates {
    struct template *index, *id, *routing; /* routing NULL: none */
};

/* Deliveries whose document cannot be told are marked OUTCOME_DEAD. */
void records_collect(struct records *r, struct batch *in, const struct record_templates *t, const char *deleted);

/* The newest event of each document among those without an outcome. False: there are none. */
bool records_pick(struct records *r);

/* What became of a document's newest event becomes of its older ones, unless it was refused for good. */
void records_settle(struct records *r);

#endif
