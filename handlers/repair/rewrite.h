/*
 * handlers/repair/rewrite.h - documents of events changed in place: read as they are now, changed, written back at
 * their own version, and the keys of aggregates that change with them marked dirty.
 *
 * A document that was written by another between our reading and our writing would lose that change: the two follow
 * each other at once.
 */
#ifndef HANDLERS_REPAIR_REWRITE_H
#define HANDLERS_REPAIR_REWRITE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"

/* Changes the document in place; true: it is another now. wanted: as it was given to rewrite_add. */
typedef bool rewrite_change(json_t *document, const json_t *wanted, void *context);

struct rewrite;

/* h: of type statistics, lent. dry_run: everything but the writing. */
struct rewrite *rewrite_new(struct handler *h, struct clock_run *run, bool dry_run, rewrite_change *change,
                            void *context);
void rewrite_free(struct rewrite *w); /* NULL is fine */

/* A document to be looked at: _index, _id and _routing of a hit. wanted is kept until it is done; may be NULL. */
bool rewrite_add(struct rewrite *w, const json_t *hit, const json_t *wanted, struct error *err) must_check;

/* True: all that was added is done, and marked. A document that is gone by now is none. */
bool rewrite_flush(struct rewrite *w, struct error *err) must_check;
int64_t rewrite_changed(const struct rewrite *w);

#endif
