/* indexer/bulk_reply.h - what a reply to _bulk says of each item; parsed whole or not at all. */
#ifndef INDEXER_BULK_REPLY_H
#define INDEXER_BULK_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attrs.h"
#include "base/error.h"
#include "indexer/bulk.h"

struct bulk_answer {
    int status;
    const char *type;   /* of the error, "" for none; in the arena */
    const char *reason; /* the server's words: type, reason and deepest cause; likewise */
    int64_t seq_no;     /* -1: not said */
};

/* Fills answers[0..expected). False: not JSON, cut short, or another number of items (the outcome is unknown). */
bool bulk_reply_read(const char *bytes, size_t length, size_t expected, struct arena *arena,
                     struct bulk_answer *answers, struct error *err) must_check;

/* The same by jansson alone, for any order and layout; bulk_reply_read is this, with the usual form read faster. */
bool bulk_reply_read_any(const char *bytes, size_t length, size_t expected, struct arena *arena,
                         struct bulk_answer *answers, struct error *err) must_check;

/* The table: what an answer means for an item of that kind. */
enum bulk_outcome bulk_outcome_of(const struct bulk_answer *a, const struct bulk_target *target);

#endif
