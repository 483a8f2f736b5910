/* handlers/record/record_state.h - what is to be done about documents: told by their events, or by a source. */
#ifndef HANDLERS_RECORD_RECORD_STATE_H
#define HANDLERS_RECORD_RECORD_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "handlers/record/record_batch.h"
#include "handlers/source/source.h"
#include "indexer/client.h"

/*
 * Fills in version, gone, unborn and body of documents whose newest event has no outcome yet, or gives it one: dead,
 * where nothing can be made of it; retry, where the source is behind; done, where there is nothing to do.
 */
void record_state_of_payload(struct records *r, const struct record_options *o, struct record *items, size_t count);

/* Bodies are in the arena. False: the source, or OpenSearch, is away. */
bool record_state_of_source(struct records *r, const struct record_options *o, struct record *items, size_t count,
                            struct source *source, struct client *c, struct arena *arena, struct error *err) must_check;

#endif
