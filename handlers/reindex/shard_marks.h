/*
 * handlers/reindex/shard_marks.h - how far each shard of an index has come: every shard numbers its own writes.
 */
#ifndef HANDLERS_REINDEX_SHARD_MARKS_H
#define HANDLERS_REINDEX_SHARD_MARKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "indexer/client.h"

enum { SHARDS_MOST = 1024 /* OpenSearch's own limit */ };

struct shard_marks {
    size_t count;
    int64_t seq_no[SHARDS_MOST]; /* -1: nothing yet */
};

/* Up to which write nothing is missing; *deletions: how many deletions there were, as long as no shard moved. */
bool shard_marks_settled(struct client *c, const char *index, struct shard_marks *out, int64_t *deletions,
                         struct error *err) must_check;

/* The last write of each. */
bool shard_marks_last(struct client *c, const char *index, struct shard_marks *out, struct error *err) must_check;

/* As many as count, before the first write. */
void shard_marks_start(struct shard_marks *m, size_t count);

json_t *shard_marks_json(const struct shard_marks *m); /* caller's */
void shard_marks_from_json(const json_t *list, struct shard_marks *m);

#endif
