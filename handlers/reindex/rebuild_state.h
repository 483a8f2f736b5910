/*
 * handlers/reindex/rebuild_state.h - how far a reindex has come, kept in Redis: whoever goes on with it after a kill,
 * shows it or gives it up finds it there.
 *
 * Keys: crier:{reindex}:runs, a hash of alias -> JSON; crier:{reindex}:cancel, a hash of the aliases whose reindex is
 * to be given up. A reindex that is done stays for a week, to be looked at.
 */
#ifndef HANDLERS_REINDEX_REBUILD_STATE_H
#define HANDLERS_REINDEX_REBUILD_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "base/redis.h"
#include "base/text.h"
#include "handlers/reindex/shard_marks.h"

enum rebuild_phase {
    REBUILD_PREPARE, /* the new index is being made */
    REBUILD_FILL,    /* all documents are brought into it */
    REBUILD_FOLLOW,  /* what was written to the old one meanwhile */
    REBUILD_COMPARE, /* counts and samples of both */
    REBUILD_SWITCH,  /* the aliases may have changed over, or not yet */
    REBUILD_SETTLE,  /* they have: what the old index still got is brought over */
    REBUILD_DONE,
};

enum { INDEX_NAME_BYTES = 256 /* OpenSearch's own limit, and the NUL */ };

struct rebuild_state {
    char alias[INDEX_NAME_BYTES];
    char old[INDEX_NAME_BYTES]; /* "": there was none */
    char into[INDEX_NAME_BYTES];
    char source[INDEX_NAME_BYTES]; /* "index": the old index itself; else a [source], a file, or "-" */
    enum rebuild_phase phase;
    bool drop;           /* the old index at the end */
    bool filled;         /* the source was read to its end once */
    int64_t rate;        /* documents a second at most; 0: as it goes */
    int64_t parallel;    /* connections that write */
    int64_t done, total; /* documents of the filling */
    int64_t done_anew;   /* of the done: those that a kill has read once more */
    int64_t per_second;  /* how fast it went lately */
    int64_t started_us, updated_us;
    char refresh_interval[32], replicas[16]; /* what the new index is to have; "": the default */
    struct shard_marks copied;               /* of the old index: all writes up to these are in the new one */
    struct shard_marks at_switch;            /* of the new index, just before the change */
    int64_t deletions;                       /* that the old index had seen when it was compared */
    char *position;                          /* of the source; "" at the beginning */
    int64_t skipped;                         /* documents that cannot be had from the source */
    char wrong[300];                         /* why, of the first; "": there is none */
    char failure[512];                       /* why it stopped; "": it did not, or was killed */
};

void rebuild_state_init(struct rebuild_state *s);
void rebuild_state_release(struct rebuild_state *s);
void rebuild_state_move(struct rebuild_state *s, struct span position); /* copied */

const char *rebuild_phase_name(enum rebuild_phase phase);

/* *found false: there is none of that alias. */
bool rebuild_state_load(struct redis *r, const char *alias, struct rebuild_state *s, bool *found,
                        struct error *err) must_check;
bool rebuild_state_save(struct redis *r, struct rebuild_state *s, struct error *err) must_check;
bool rebuild_state_forget(struct redis *r, const char *alias, struct error *err) must_check;

/* Calls visit for each that is known, sorted by alias; those done more than a week ago are forgotten. */
typedef void rebuild_visit(const struct rebuild_state *s, void *context);
bool rebuild_state_each(struct redis *r, rebuild_visit *visit, void *context, struct error *err) must_check;

/* Asks whoever is at it to give it up at the next page; and whether that was asked. Forgotten with the state. */
bool rebuild_cancel_ask(struct redis *r, const char *alias, struct error *err) must_check;
bool rebuild_cancel_asked(struct redis *r, const char *alias, bool *asked, struct error *err) must_check;
bool rebuild_cancel_forget(struct redis *r, const char *alias, struct error *err) must_check;

#endif
