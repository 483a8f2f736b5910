/*
 * handlers/reindex/rebuild.h - an index made anew while it is in use: the new one is filled beside it, gets all that is
 * written to the old one meanwhile, is compared, and takes its place by one change of aliases.
 *
 * Live changes. Whoever writes writes to the old index, as ever, and is never refused: crier's handlers, the platform,
 * anybody. Each shard numbers its writes (_seq_no), so rounds over what is new since the last round miss none of them,
 * and deletions are found by comparing ids; this serves every writer, and no writer has to know. After the change of
 * aliases a last time: writes that were under way to the old index are brought over, never over one that the new index
 * got itself.
 *
 * Every step is safe to repeat, and what is done is kept in Redis (rebuild_state.h): a kill costs a stretch
 * (shard_walk.h).
 */
#ifndef HANDLERS_REINDEX_REBUILD_H
#define HANDLERS_REINDEX_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/handler.h"
#include "handlers/reindex/page_queue.h"
#include "handlers/reindex/rebuild_state.h"
#include "handlers/reindex/shard_read.h"
#include "handlers/reindex/shard_walk.h"
#include "handlers/reindex/supply.h"

struct rebuild_options {
    const char *index;  /* an alias or an index, without the prefix */
    const char *source; /* NULL: the old index itself */
    const char *into;   /* NULL: named after the alias and the time */
    bool drop;
    bool resume;            /* only go on with one that was begun */
    int64_t rate, parallel; /* 0: any rate; as usual */
};

struct rebuild {
    struct clock_run run; /* first: asks the one below, and whether it is to be given up */
    struct clock_run *below;
    const struct settings *settings;
    struct redis *redis;
    struct client *client;
    struct rebuild_state state;
    struct page_queue *queue; /* into the new index; NULL: not begun */
    struct shard_reader reader;
    struct shard_walk walk;
    struct supply *supply; /* NULL: the old index itself */
    int64_t asked_ms;
    bool cancelled;
    int64_t began_ms, read; /* of this process: for the rate */
};

/*
 * Finds what was begun, or plans it; nothing is written. *resumed: it was begun. ERROR_INPUT: it cannot be done, and
 * why.
 */
bool rebuild_open(struct rebuild *r, const struct settings *s, struct redis *redis, const struct rebuild_options *o,
                  bool *resumed, struct error *err) must_check;
void rebuild_close(struct rebuild *r);

/* To the end, from wherever it is. Failed, it can be run again; where it was to be given up, that is done. */
bool rebuild_run(struct rebuild *r, struct clock_run *below, struct error *err) must_check;

/* Takes away what was begun. ERROR_INPUT: readers are at the new index already. Nobody else may be at it. */
bool rebuild_give_up(struct rebuild *r, struct error *err) must_check;

/* ------------------------------------------------------------------------------------------------- its own parts */

/* One round over what was written to the old index since the last one; *documents: how many that were. */
bool rebuild_round(struct rebuild *r, int64_t *documents, struct error *err) must_check;

/* Whether both hold the same. ERROR_INPUT: not, and what differs. */
bool rebuild_compare(struct rebuild *r, struct error *err) must_check;

/* Takes out of the new index what the old one does not have; of each shard what was written up to these marks. */
bool rebuild_prune(struct rebuild *r, const struct shard_marks *upto, struct error *err) must_check;

/* After the change of aliases: what the old index still got, until it gets nothing more. */
bool rebuild_settle(struct rebuild *r, struct error *err) must_check;

/* All documents of the supply, on from state.position. */
bool rebuild_fill(struct rebuild *r, struct error *err) must_check;

/* What the source has of these now, in place of what the old index has; not found: gone there. No source: as they are.
 */
bool rebuild_refetch(struct rebuild *r, struct hits *hits, struct arena *arena, struct error *err) must_check;

/* Of those that are not found in the old index: found after all, where the source has them. */
bool rebuild_ask_source(struct rebuild *r, const struct hit *hits, struct hit *of_old, size_t count,
                        struct arena *arena, struct error *err) must_check;
bool rebuild_compare_supply(struct rebuild *r, struct error *err) must_check;

/* Holds back where a rate is given. */
bool rebuild_pace(struct rebuild *r, size_t documents, struct error *err) must_check;

#endif
