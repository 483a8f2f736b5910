/*
 * indexer/indices.h - the indices themselves: which there are, what they look like, how they are made and blocked.
 *
 * Names are without the prefix, also in what is returned; a name may be an alias or a pattern where that makes sense.
 */
#ifndef INDEXER_INDICES_H
#define INDEXER_INDICES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "indexer/client.h"

/*
 * A request to /PREFIX+NAME+rest (rest begins with '/' or '?', or is ""): as client_json; *missing may be NULL.
 */
bool indices_ask(struct client *c, const char *method, const char *name, const char *rest, const json_t *body,
                 json_t **answer, bool *missing, struct error *err) must_check;

/*
 * {NAME: {"aliases", "mappings", "settings"}} of each index that is behind the name, sorted by name; {} where there is
 * none. Aliases are named without the prefix, too; those that have none are in "other_aliases". Caller's.
 */
bool indices_describe(struct client *c, const char *name, json_t **out, struct error *err) must_check;

/* body: settings, mappings and aliases beyond those of templates. One that is there already is fine. */
bool indices_create(struct client *c, const char *name, const json_t *body, struct error *err) must_check;
bool indices_delete(struct client *c, const char *name, struct error *err) must_check; /* a missing one is fine */

/* Returns when no write is under way any more. */
bool indices_block_writes(struct client *c, const char *name, struct error *err) must_check;
bool indices_unblock_writes(struct client *c, const char *name, struct error *err) must_check;

/* How many documents fit the query (NULL: all); a missing index has none. */
bool indices_count(struct client *c, const char *name, const json_t *query, int64_t *count,
                   struct error *err) must_check;

/* One change of aliases, all of it or nothing: actions of POST /_aliases, with names as the server has them. */
bool indices_change_aliases(struct client *c, const json_t *actions, struct error *err) must_check;

/* Whether an index as indices_describe gives it has a write block. */
bool indices_blocked(const json_t *described);

#endif
