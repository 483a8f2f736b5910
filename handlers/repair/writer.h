/*
 * handlers/repair/writer.h - many writes of an operator's verb: sent by the thousand, repeated while the search engine
 * is busy or away for a moment, counted.
 *
 * Each write must be safe to repeat. A document that is refused for good is counted and its reason kept; the others go
 * on.
 */
#ifndef HANDLERS_REPAIR_WRITER_H
#define HANDLERS_REPAIR_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/buf.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "indexer/bulk.h"

struct writer_counts {
    int64_t written, superseded, refused;
    char refusal[300]; /* the first one's id and reason */
};

struct writer;

/* The client is lent; run is asked whether to go on, also between two tries. */
struct writer *writer_new(struct client *c, int64_t bulk_bytes, struct clock_run *run);
void writer_free(struct writer *w); /* what was not flushed is not written; NULL is fine */

/* Adds a document (one line of JSON), and sends what is together where it is much. */
bool writer_add(struct writer *w, const struct bulk_target *target, const char *document, size_t length,
                struct error *err) must_check;

/* Sends the rest: true when all that was added is durable, or refused. */
bool writer_flush(struct writer *w, struct error *err) must_check;

const struct writer_counts *writer_counts(const struct writer *w);

#endif
