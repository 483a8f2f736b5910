/* indexer/action_line.h - the line before each document of a bulk: what to do, where, and under which condition. */
#ifndef INDEXER_ACTION_LINE_H
#define INDEXER_ACTION_LINE_H

#include <stddef.h>

#include "base/buf.h"
#include "indexer/bulk.h"

/* A part of the body. */
struct placed {
    size_t start, length;
};

struct action_line;

struct action_line *action_line_new(const char *prefix); /* lent */
void action_line_free(struct action_line *a);            /* NULL is fine */

/* What OpenSearch would refuse a whole request for, and is seen beforehand. NULL: nothing. */
const char *action_line_wrong(const struct bulk_target *t, size_t id_length);

/* Adds the line; returns where the name of the index stands in it, as JSON. */
struct placed action_line_add(struct action_line *a, const struct bulk_target *t, size_t id_length, struct buf *out);

#endif
