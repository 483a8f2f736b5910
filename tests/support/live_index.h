/*
 * tests/support/live_index.h - a platform at work while something is done to its index: it creates, changes and deletes
 * documents under its own versions, writes some in place, and searches, all by the alias; and it knows what has to be
 * there at the end.
 */
#ifndef TESTS_SUPPORT_LIVE_INDEX_H
#define TESTS_SUPPORT_LIVE_INDEX_H

#include <stdint.h>

#include "support/scene.h"

struct live_index;

/*
 * Makes the index NAME-1 of so many shards behind the alias NAME (without the scene's prefix), with so many documents,
 * half of which are never deleted.
 */
struct live_index *live_index_open(struct scene *s, const char *name, int shards, int documents);
void live_index_close(struct live_index *p); /* the indices go, too */

/*
 * A writer and a reader in threads of their own, until live_index_pause. Every search has to see what was there at the
 * beginning, and what was acknowledged seen_ms before.
 */
void live_index_begin(struct live_index *p, int seen_ms);

/* Ends both; fails the test where a write was refused, or a search saw less than there has to be. */
void live_index_pause(struct live_index *p);

/* Fails the test where what is behind the alias is not, to the last version and byte, what the platform wrote. */
void live_index_check(struct live_index *p);

/* How many documents there are, and how many writes there were since live_index_begin. */
int64_t live_index_documents(struct live_index *p);
int64_t live_index_writes(struct live_index *p);

#endif
