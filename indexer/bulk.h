/*
 * indexer/bulk.h - many writes in one request, and what became of each (design: the table of bulk outcomes).
 *
 * Every write is safe to repeat: a fixed id with an external version, `create`, or a sequence number. Items are sent
 * in requests of at most the size in force, which a rejection halves and success grows slowly. An item that is done is
 * never sent again. One thread at a time.
 */
#ifndef INDEXER_BULK_H
#define INDEXER_BULK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "indexer/client.h"

enum bulk_action { BULK_INDEX, BULK_CREATE, BULK_DELETE };

struct bulk_target {
    enum bulk_action action;
    const char *index; /* without the prefix, or with_prefix = true: as a search hit names it */
    bool with_prefix;
    const char *id;
    size_t id_length;             /* 0: NUL-ended */
    const char *routing;          /* NULL: by the id */
    int64_t version;              /* external; -1: none */
    bool same_version;            /* also over a document that has this version: in place (external_gte) */
    int64_t seq_no, primary_term; /* -1: none */
};

enum bulk_outcome {
    BULK_UNSENT,     /* not sent, or the reply is unknown: sending it again is safe */
    BULK_DONE,       /* 200, 201; delete 404 */
    BULK_SUPERSEDED, /* 409 on create or external version: a newer or the same is there already */
    BULK_CONFLICT,   /* 409 on if_seq_no: read again, compute again */
    BULK_BUSY,       /* 429, 503, rejected, circuit breaking: this item again later */
    BULK_PAUSED,     /* its index is blocked (read-only, flood stage): probed every 30 s */
    BULK_DEAD,       /* never: mapping, missing index, bad id */
};

struct bulk_item {
    enum bulk_outcome outcome;
    int status;
    const char *reason; /* the server's words, "" for none; valid until bulk_start */
    int64_t seq_no;     /* of this write, where bulk_tell_seq_no asked for it; -1: not known */
};

struct bulk;

struct bulk *bulk_new(struct client *c, int64_t bytes_most);
void bulk_free(struct bulk *b);

/* From now on items say which sequence number their write was given. */
void bulk_tell_seq_no(struct bulk *b);

/* Empty again: what the items said goes with it. */
void bulk_start(struct bulk *b);

/*
 * Adds an item; the document is written into the buf returned, as one line of JSON without line feed, before the next
 * call (nothing for a delete). Returns its number by *number.
 */
struct buf *bulk_add(struct bulk *b, const struct bulk_target *target, size_t *number);

/*
 * Sends what is BULK_UNSENT. True: every item has an outcome other than BULK_UNSENT. False: the server is away, busy as
 * a whole or refuses us (ERROR_AGAIN); items that were answered keep their outcome, bulk_send goes on with the rest.
 */
bool bulk_send(struct bulk *b, struct error *err) must_check;

size_t bulk_count(const struct bulk *b);
const struct bulk_item *bulk_item(const struct bulk *b, size_t number);

/* How long the server asked to be left alone when it was busy as a whole, in the last bulk_send; 0: it did not say. */
int64_t bulk_retry_after_ms(const struct bulk *b);

/* Items that were answered BULK_BUSY become BULK_UNSENT, for the next bulk_send. */
void bulk_again(struct bulk *b);

#endif
