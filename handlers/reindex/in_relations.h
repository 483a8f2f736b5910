/*
 * handlers/reindex/in_relations.h - the copies in an index that are behind, by the relations that handlers of type
 * denormalize keep in it: found by comparing every document with the source of its subjects, and repaired as an event
 * would do it.
 */
#ifndef HANDLERS_REINDEX_IN_RELATIONS_H
#define HANDLERS_REINDEX_IN_RELATIONS_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "config/settings.h"
#include "handlers/handler.h"
#include "handlers/reconcile/comparison.h"

/*
 * Every relation into the index, one after the other. source: a [source] for all of them, or NULL: each one's own.
 * rate: documents a second, 0: as it goes. ERROR_INPUT: there is no such relation, or one has no source.
 */
bool in_relations_run(const struct settings *s, const char *index, const char *source, int64_t rate,
                      struct clock_run *run, struct comparison_tally *tally, struct error *err) must_check;

#endif
