/*
 * handlers/record_stats/record_writer.h - usage brought into record documents, at a limited rate and without disturbing
 * whoever owns them.
 *
 * A document is read as it is now, changed, and written back whole at its own version: the platform's next revision is
 * still newer, and one that came meanwhile refuses our write (409). Then it is looked at again, as an equal version is
 * not refused. Documents of a side index are crier's own; their version is the time their numbers were taken at.
 */
#ifndef HANDLERS_RECORD_STATS_RECORD_WRITER_H
#define HANDLERS_RECORD_STATS_RECORD_WRITER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/record_stats.h"
#include "handlers/record_stats/usage.h"

/* What one page of changed parents found out. */
struct usage_page {
    struct usage_map *parents, *records; /* a parent that is not entered is none of ours */
    struct usage_known known;
    int64_t taken_us; /* when its numbers were read */
};

struct record_writer;

struct record_writer *record_writer_new(const struct record_stats_options *o, struct client *c, int64_t bulk_bytes);
void record_writer_free(struct record_writer *w); /* NULL is fine */

/* The fields of a document that record_writer_bring wants to see, for search_fields. */
const char *record_writer_fields(const struct record_writer *w);

/*
 * Brings the documents up to date; hits are lent. Parents with a document that refuses, or is written by others all the
 * time, are noted as failed, and *trouble says why. False (ERROR_AGAIN): OpenSearch is away, or the run is to end.
 */
bool record_writer_bring(struct record_writer *w, const struct usage_page *page, const json_t *hits,
                         struct clock_run *run, struct error *trouble, struct error *err) must_check;

#endif
