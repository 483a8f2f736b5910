/*
 * handlers/repair/archive.h - statistics as files: an index is a file of NDJSON, packed, and manifest.json says what
 * there is.
 *
 *     {"_index":"events-stats-record-view-2026-10","_id":"...","_version":1790841600000000,"_source":{...}}
 *
 * The manifest is written anew after each file: an export that was cut off goes on with the first index that is not in
 * it. Names are without the prefix of [opensearch], so that another cluster may have another.
 */
#ifndef HANDLERS_REPAIR_ARCHIVE_H
#define HANDLERS_REPAIR_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/error.h"
#include "handlers/handler.h"
#include "handlers/repair/store.h"

struct archive_tally {
    int64_t files, documents, bytes;      /* in the folder now; bytes as packed */
    int64_t written, superseded, refused; /* by an import; superseded: the same or a newer one was there */
    char refusal[300];
};

/* How many documents an export would write: for --dry-run and progress. */
bool archive_count(struct client *c, const struct store *stores, size_t count, struct time_range p, int64_t *documents,
                   struct error *err) must_check;

/* The folder is made where it is missing. One that holds a whole export, or the beginning of another, is refused. */
bool archive_export(struct client *c, const struct store *stores, size_t count, struct time_range p, const char *folder,
                    struct clock_run *run, struct archive_tally *tally, struct error *err) must_check;

/* Checks the manifest and each file's digest. ERROR_INPUT names what is broken. */
bool archive_check(const char *folder, struct archive_tally *tally, struct error *err) must_check;

/*
 * Checks, then writes each document with its own version, so that nothing newer is changed and a second import changes
 * nothing. Indices that are missing are made with mapping and aliases of the export; templates of the handlers that
 * are configured are installed before. What follows from the documents, aggregates and the counters of records, is
 * marked dirty: the next runs of the handlers compute it.
 */
bool archive_import(const struct settings *s, struct client *c, const char *folder, struct clock_run *run,
                    struct archive_tally *tally, struct error *err) must_check;

#endif
