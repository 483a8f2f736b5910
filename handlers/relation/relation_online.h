/*
 * handlers/relation/relation_online.h - what a relation names against the mapping of the index, for `check --online`.
 *
 * Refused are: a match or indexed_at that no mapping knows; a field to be written that a strict mapping would refuse; a
 * match that is nested in one index and not in the other. Said, and no mistake: an index that is not there yet, a
 * field that would be new, an id that is analysed text.
 */
#ifndef HANDLERS_RELATION_RELATION_ONLINE_H
#define HANDLERS_RELATION_RELATION_ONLINE_H

#include "handlers/relation/relation.h"

/* notes: a line each. False: ERROR_CONFIG, with the nearest known field; ERROR_AGAIN where the server is away. */
bool relation_online(const struct relation_options *o, struct client *c, struct buf *notes, struct error *err);

#endif
