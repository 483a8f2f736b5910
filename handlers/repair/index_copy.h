/*
 * handlers/repair/index_copy.h - the documents of one index brought into another and kept up with, then compared.
 *
 * A copy has the id, version and routing of its original. It is written over the same version, too: a document that was
 * rewritten in place comes again. One index at a time is read in the order of its writes.
 */
#ifndef HANDLERS_REPAIR_INDEX_COPY_H
#define HANDLERS_REPAIR_INDEX_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/repair/store.h"

/* How far an index was copied. */
struct index_copy {
    const char *from, *to; /* without the prefix; lent */
    int64_t seq_no;        /* all writes up to this one are in the copy; -1: none is known to be */
};

/* Copies what was written since, as of now; *documents says how many that were. */
bool index_copy_on(struct index_copy *x, struct client *c, int64_t bulk_bytes, struct clock_run *run,
                   int64_t *documents, struct error *err) must_check;

/* Documents chosen at random are the same in both, byte for byte. ERROR_INPUT names one that is not. */
bool index_copy_sample(const struct index_copy *x, struct client *c, struct error *err) must_check;

/*
 * Takes those documents out of the index that the sources, an alias, do not have any more; nothing may be written to
 * them.
 */
bool index_copy_prune(const char *index, const char *sources, struct client *c, int64_t bulk_bytes,
                      struct clock_run *run, struct error *err) must_check;

#endif
