/*
 * handlers/reindex/new_index.h - the index that takes another's place: made beside it, unseen through any alias, quick
 * to fill, and put in its place by one change of aliases.
 */
#ifndef HANDLERS_REINDEX_NEW_INDEX_H
#define HANDLERS_REINDEX_NEW_INDEX_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/reindex/rebuild_state.h"
#include "indexer/client.h"

/*
 * Which index is behind the name, an alias or an index, into old ("" where there is none). ERROR_INPUT: several are.
 * *by_alias: the name is an alias.
 */
bool new_index_find_old(struct client *c, const char *name, char old[INDEX_NAME_BYTES], bool *by_alias,
                        struct error *err) must_check;

/*
 * Makes s->into: from the index template that fits its name, else with the mapping and settings of s->old; without
 * aliases. Notes in s what interval of refresh and how many replicas it is to have. Safe to repeat.
 */
bool new_index_make(struct client *c, struct rebuild_state *s, struct error *err) must_check;

/* While it is filled it is neither refreshed nor copied. */
bool new_index_quicken(struct client *c, const struct rebuild_state *s, struct error *err) must_check;

/* Gives it what it is to have; waits until its replicas are there, where those of the old index are. */
bool new_index_restore(struct client *c, const struct rebuild_state *s, struct clock_run *run,
                       struct error *err) must_check;

/* Whether the alias leads to s->into already. */
bool new_index_in_place(struct client *c, const struct rebuild_state *s, bool *in_place, struct error *err) must_check;

/* Every alias of the old index with its properties, and s->alias, in one change; writes by an alias go to the new one.
 */
bool new_index_switch(struct client *c, const struct rebuild_state *s, struct error *err) must_check;

#endif
