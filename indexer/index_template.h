/*
 * indexer/index_template.h - the index templates crier owns: installed at start, idempotent, drift reported.
 */
#ifndef INDEXER_INDEX_TEMPLATE_H
#define INDEXER_INDEX_TEMPLATE_H

#include <stdbool.h>

#include "base/attrs.h"
#include "base/error.h"
#include "indexer/client.h"

enum template_state { TEMPLATE_INSTALLED, TEMPLATE_UNCHANGED, TEMPLATE_UPGRADED, TEMPLATE_DRIFTED };

/*
 * Composable template `name` (the prefix is put before name and patterns) for the patterns, separated by spaces.
 * body: the JSON of "template" (settings, mappings, aliases). _meta carries a digest of what crier wrote: the same
 * digest and the same content is UNCHANGED; the same digest with other content was edited by hand, is left as it is and
 * said (DRIFTED); another digest is UPGRADED.
 */
bool index_template_install(struct client *c, const char *name, const char *patterns, const char *body,
                            enum template_state *state, struct error *err) must_check;

#endif
